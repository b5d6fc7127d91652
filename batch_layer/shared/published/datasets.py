"""The names of published data sets and of their files. Pure."""

from __future__ import annotations

import re

HISTORY = (
    "daily_bar_revisions",
    "split_revisions",
    "dividend_revisions",
    "suppliers",
    "ledger",
    "loads",
)
"""Data sets that say what was known when. In the JSON they stand apart from the others, where earlier
versions of Condvest, which do not know them, look for nothing."""

REPORTS = ("instrument_fields", "coverage", "refused", "runs")
"""Data sets that say what is known of instruments, and how the data came about. In the JSON they stand apart
too, for the same reason."""

APART = (*HISTORY, *REPORTS)
"""All that stand apart from the others in the JSON."""

OFTEN = ("loads", "runs")
"""Data sets that change though nothing else did: that alone makes no version."""

_OWN_NAMES = re.compile(
    r"(manifests/\d{8}\.json|(daily_bars|bars_\d+|instruments|symbols|sessions|splits|dividends"
    rf"|{'|'.join(APART)})"
    r"/(\d{4}(-\d{2})?|all)-[0-9a-f]{16}\.parquet)"
)


def is_own(path: str) -> bool:
    """Return whether a path is one that a publication may have written, and so may remove."""
    return _OWN_NAMES.fullmatch(path) is not None
