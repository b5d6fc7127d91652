"""The present instant, for whatever is given a clock: tests pass their own."""

from __future__ import annotations

import datetime as dt


def utc_now() -> dt.datetime:
    """Return the present instant as an aware UTC datetime."""
    return dt.datetime.now(dt.UTC)
