"""What the database holds, for Python."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from condvest.asking import answered
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import Settings

if TYPE_CHECKING:
    from condvest.batch_layer.database.opening import OpenDatabase


def status(*, now: dt.datetime | None = None, settings: Settings | None = None) -> dict[str, Any]:
    """Return what the database holds, as ``condvest status --json`` does.

    Args:
        now: an aware datetime, the instant up to which sessions count as closed; the present one if None.
        settings: where the database is; from the environment if None.

    Returns:
        A dict with the keys that docs/cli.md lists: closed (ISO date of the last session that the exchange
        has closed), sessions, providers (each with first, last, complete, partial, missing and behind: how
        many sessions have closed since its last complete one), instruments, daily_bars, bars (by interval),
        refused, changes_waiting, waiting, rebuild, last_run.

    Raises:
        UsageError: ``now`` has no time zone.
        CondvestError: the database cannot be opened or read.
    """
    if now is not None and now.tzinfo is None:
        raise UsageError(f"now {now} needs a time zone: an instant, not a local time")

    def from_database(opened: OpenDatabase) -> dict[str, Any]:
        # Imported here: who reads bars alone needs nothing of this.
        from condvest.serving_layer.queries.reports.status import read_status  # noqa: PLC0415

        return read_status(replace(opened, now=now or dt.datetime.now(dt.UTC)))

    return answered("database", settings, database=from_database, published=_not_asked, server=_not_asked)


def _not_asked(*_: object) -> dict[str, Any]:
    raise UsageError("status: only a database has one")
