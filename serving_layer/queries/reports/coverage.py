"""Which sessions have been loaded from whom: the ledger by session, month or year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.stores.status import ledger_rows
from condvest.batch_layer.shared.models.sessions import Dates, Sessions
from condvest.batch_layer.shared.utils.naming import unknown_name

By = Literal["session", "month", "year"]
"""The periods that sessions are counted by."""

_UNITS: Mapping[By, Literal["D", "M", "Y"]] = {"session": "D", "month": "M", "year": "Y"}

_SCHEMA = pa.schema(
    [
        ("provider", pa.string()),
        ("period", pa.date32()),
        ("expected", pa.int32()),
        ("complete", pa.int32()),
        ("partial", pa.int32()),
        ("missing", pa.int32()),
        ("bars", pa.int64()),
        ("refused", pa.int64()),
    ]
)


def read_coverage(opened: OpenDatabase, by: By = "month", provider: str | None = None) -> pa.Table:
    """Return how many sessions have been loaded, by provider and period.

    Columns: provider, period (date32: the session, or the first day of its month or year), expected (int32:
    the exchange's sessions in the period, from the provider's first loaded one to its last), complete,
    partial and missing (int32; together the expected ones), bars and refused (int64: rows that passed and
    that were refused). A session is missing if the ledger does not hold it.

    Args:
        opened: the open database.
        by: session, month or year.
        provider: of this one alone.

    Raises:
        UnknownName: nothing has been loaded from the provider.
    """
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        ledger = ledger_rows(connection)
    return coverage_of(ledger, opened.sessions, by, provider)


def coverage_of(
    ledger: Sequence[Mapping[str, Any]], sessions: Sessions, by: By = "month", provider: str | None = None
) -> pa.Table:
    """Return the same of the rows of a ledger, by provider and session; see `ledger_rows`."""
    if provider is not None:
        known = {row["provider"] for row in ledger}
        if provider not in known:
            raise unknown_name("provider from whom something was loaded", provider, known, "provider")
        ledger = [row for row in ledger if row["provider"] == provider]
    parts = [
        _of_provider(name, list(rows), sessions, by)
        for name, rows in groupby(ledger, key=itemgetter("provider"))
    ]
    return pa.concat_tables(parts) if parts else _SCHEMA.empty_table()


def _of_provider(name: str, ledger: Sequence[Mapping[str, Any]], sessions: Sessions, by: By) -> pa.Table:
    """Return the rows of one provider, of which the ledger holds something."""
    first, last = ledger[0]["ordinal"], ledger[-1]["ordinal"]
    period = periods(sessions.dates_of(np.arange(first, last + 1)), by)
    starts = np.flatnonzero(np.concatenate([[True], period[1:] != period[:-1]]))
    at = np.array([row["ordinal"] - first for row in ledger])
    counted = {
        "expected": np.ones(len(period), dtype=np.int64),
        "complete": _placed(len(period), at, [row["complete"] for row in ledger]),
        "partial": _placed(len(period), at, [not row["complete"] for row in ledger]),
        "bars": _placed(len(period), at, [row["passed"] for row in ledger]),
        "refused": _placed(len(period), at, [row["refused"] for row in ledger]),
    }
    columns = {label: np.add.reduceat(values, starts) for label, values in counted.items()}
    columns["missing"] = columns["expected"] - columns["complete"] - columns["partial"]
    dates: list[dt.date] = period[starts].tolist()
    own = {"provider": [name] * len(starts), "period": dates, **columns}
    return pa.table([pa.array(own[field.name], field.type) for field in _SCHEMA], schema=_SCHEMA)


def periods(dates: Dates, by: By) -> Dates:
    """Return the period of each date: itself, or the first day of its month or year."""
    return dates.astype(f"datetime64[{_UNITS[by]}]").astype("datetime64[D]")


def _placed(length: int, at: np.ndarray[Any, Any], values: Sequence[int]) -> np.ndarray[Any, Any]:
    placed = np.zeros(length, dtype=np.int64)
    placed[at] = values
    return placed
