"""What the reports say, as plain values and tables."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from batch_layer.database import catalog_store, load_store, metadata_store
from batch_layer.database.keyed_store import DAILY_BARS
from batch_layer.fetching.comparison import answered, compared
from batch_layer.fetching.quality.series import FLAGS
from batch_layer.fetching.screening import screen
from batch_layer.processing.reading import instruments_asked_for
from batch_layer.shared.errors import UsageError
from batch_layer.shared.models.bars import DailyBars
from batch_layer.shared.models.spans import Spans
from batch_layer.shared.settings import INTERVALS
from condvest.workspace import Workspace

_REFUSED = (
    "load_id",
    "provider",
    "dataset",
    "name",
    "line",
    "code",
    "symbol",
    "session",
    "reason",
    "content",
)

METADATA_FIELDS = {
    "name": pa.string(),
    "type": pa.string(),
    "exchange": pa.string(),
    "currency": pa.string(),
    "cik": pa.string(),
    "figi": pa.string(),
    "share_class_figi": pa.string(),
    "list_date": pa.date32(),
    "delisted_date": pa.date32(),
    "sic_code": pa.string(),
    "sic_description": pa.string(),
    "market_cap": pa.float64(),
    "shares_outstanding": pa.float64(),
    "weighted_shares_outstanding": pa.float64(),
}
"""What may be known about an instrument, and its type."""

_INSTRUMENTS = pa.schema(
    [
        ("instrument_id", pa.int32()),
        ("symbol", pa.string()),
        ("active", pa.bool_()),
        ("first_session", pa.date32()),
        ("last_session", pa.date32()),
        *METADATA_FIELDS.items(),
    ]
)

_HISTORY = pa.schema(
    [
        ("known_from", pa.timestamp("us", "UTC")),
        ("known_to", pa.timestamp("us", "UTC")),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "vwap")),
        ("trades", pa.int64()),
        *((name, pa.string()) for name in ("provider", "name", "archive_key", "ended_by")),
    ]
)


def status(workspace: Workspace) -> dict[str, Any]:
    """Return what the database holds.

    Keys: sessions (first and last loaded, complete, partial, missing; sums over the providers), providers
    (the same by provider), instruments, daily_bars, bars (by interval), refused, changes_waiting, last_run.
    A session is missing if the exchange held it between a provider's first and last loaded session and the
    ledger does not hold it.
    """
    with workspace.database.transaction(snapshot=True, read_only=True) as connection:
        counts = catalog_store.counts(connection)
        ledger = catalog_store.ledger_by_provider(connection)
        last_run = catalog_store.last_run(connection)
    sessions = workspace.sessions
    providers = [
        {
            "provider": held["provider"],
            "first": sessions.session(held["first"]).isoformat(),
            "last": sessions.session(held["last"]).isoformat(),
            "complete": held["complete"],
            "partial": held["partial"],
            "missing": held["last"] - held["first"] + 1 - held["complete"] - held["partial"],
        }
        for held in ledger
    ]
    totals = {name: sum(one[name] for one in providers) for name in ("complete", "partial", "missing")}
    return {
        "sessions": {
            "first": min((one["first"] for one in providers), default=None),
            "last": max((one["last"] for one in providers), default=None),
            **totals,
        },
        "providers": providers,
        "instruments": counts["instruments"],
        "daily_bars": counts["daily_bars"],
        "bars": {str(interval): counts.get(f"bars_{interval}", 0) for interval in INTERVALS},
        "refused": counts["refused"],
        "changes_waiting": counts["changes_waiting"],
        "last_run": last_run
        and {
            **last_run,
            "started_at": last_run["started_at"].isoformat(timespec="seconds"),
            "finished_at": last_run["finished_at"] and last_run["finished_at"].isoformat(timespec="seconds"),
        },
    }


def refused(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return refused rows as a table."""
    columns = {name: [row[name] for row in rows] for name in _REFUSED}
    types = {"load_id": pa.int32(), "line": pa.int64(), "session": pa.date32()}
    return pa.table(
        {name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()}
    )


def gaps(workspace: Workspace, symbols: Sequence[str]) -> pa.Table:
    """Return the sessions that instruments lack between their first and last daily bar.

    Columns: symbol, session (date32); by symbol and session.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    labels: list[str] = []
    lacking: list[Any] = []
    with workspace.database.transaction(snapshot=True, read_only=True) as connection:
        names = catalog_store.symbols_by_instrument(connection)
        ids = instruments_asked_for(connection, list(symbols) or None, names)
        spans = catalog_store.spans_of_bars(connection, ids)
        daily = DAILY_BARS.read(connection, spans)
    for instrument_id in sorted(spans.instrument_id.tolist(), key=names.__getitem__):
        held = daily.ordinal[np.searchsorted(daily.instrument_id, instrument_id) :][
            : int(np.count_nonzero(daily.instrument_id == instrument_id))
        ]
        absent = np.setdiff1d(np.arange(held[0], held[-1] + 1), held)
        labels.extend([names[instrument_id]] * len(absent))
        lacking.extend(workspace.sessions.dates_of(absent).tolist())
    return pa.table({"symbol": pa.array(labels, pa.string()), "session": pa.array(lacking, pa.date32())})


def history(workspace: Workspace, symbol: str, session: dt.date | None) -> pa.Table:
    """Return every state that the daily bars of a symbol were known in, by session and instant.

    Columns: session (date32), known_from, known_to (timestamp, UTC; null for what is known now), open, high,
    low, close (float64, as traded), volume (float64, shares), vwap, trades, provider, name (of the payload),
    archive_key, ended_by (the payload that superseded it).

    Raises:
        UnknownSymbol: no instrument with bars carries or carried the symbol.
        NotASession: the exchange held no session on that date.
    """
    ordinal = workspace.sessions.ordinal(session) if session else None
    with workspace.database.transaction(snapshot=True, read_only=True) as connection:
        names = catalog_store.symbols_by_instrument(connection)
        ids = instruments_asked_for(connection, [symbol], names)
        states = catalog_store.history(connection, int(ids[0]), ordinal)
    dates = workspace.sessions.dates_of(np.array([state.pop("ordinal") for state in states], dtype=np.int32))
    table = pa.Table.from_pylist(states, schema=_HISTORY)
    return table.add_column(0, "session", pa.array(dates, pa.date32()))


def instruments(
    workspace: Workspace, *, active: bool | None = None, as_of: dt.datetime | None = None
) -> pa.Table:
    """Return the instruments by symbol: one row each, with what is known about it.

    Columns: instrument_id (int32), symbol (that it carries now, or carried last), active (bool, null where
    no reference says), first_session and last_session of its daily bars (date32, null if it has none), and
    the fields of METADATA_FIELDS as text, market_cap and shares as float64, dates as date32.

    Args:
        workspace: the open workspace.
        active: only listed ones if True, only delisted ones if False.
        as_of: an aware datetime: what was known then, and of whom anything was; now if None. The symbol is
            today's all the same.

    Raises:
        UsageError: ``as_of`` has no time zone.
    """
    if as_of is not None and as_of.tzinfo is None:
        raise UsageError(f"as_of {as_of} needs a time zone: an instant, not a local time")
    with workspace.database.transaction(snapshot=True, read_only=True) as connection:
        known_by = load_store.EVERY_LOAD if as_of is None else load_store.last_load_by(connection, as_of)
        fields = metadata_store.read_fields(connection, known_by)
        names = catalog_store.all_symbols(connection)
        ids = np.array(sorted(names), dtype=np.int32)
        spans = catalog_store.spans_of_bars(connection, ids, known_by)
    if as_of is not None:
        known = fields.keys() | set(spans.instrument_id.tolist())
        names = {one: symbol for one, symbol in names.items() if one in known}
    bars = dict(zip(spans.instrument_id.tolist(), zip(*_bounds(workspace, spans), strict=True), strict=True))
    rows = []
    for instrument_id in sorted(names, key=lambda one: (names[one], one)):
        told = fields.get(instrument_id, {})
        is_active = {"true": True, "false": False}.get(told.get("active", ""))
        if active is not None and is_active is not active:
            continue
        first, last = bars.get(instrument_id, (None, None))
        row = {"instrument_id": instrument_id, "symbol": names[instrument_id], "active": is_active}
        rows.append(row | {"first_session": first, "last_session": last} | _typed(told))
    return pa.Table.from_pylist(rows, schema=_INSTRUMENTS)


def _bounds(workspace: Workspace, spans: Spans) -> tuple[list[dt.date], list[dt.date]]:
    dates_of = workspace.sessions.dates_of
    return dates_of(spans.first).tolist(), dates_of(spans.last).tolist()


def _typed(told: Mapping[str, str]) -> dict[str, Any]:
    readers: dict[pa.DataType, Callable[[str], Any]] = {
        pa.float64(): float,
        pa.date32(): dt.date.fromisoformat,
        pa.string(): str,
    }
    return {
        name: readers[kind](told[name]) if name in told else None for name, kind in METADATA_FIELDS.items()
    }


def quality(
    workspace: Workspace, symbols: Sequence[str], on_progress: Callable[[int, int], None] | None = None
) -> pa.Table:
    """Return the flags of the daily bars of the symbols (all if none are given), by symbol and session.

    Columns: symbol, session (date32), severity (error or warning), flag (a key of FLAGS), value (float64,
    what was measured), reason (what it means, and what to do).

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    sessions = workspace.sessions
    with workspace.database.transaction(read_only=True) as connection:
        names = catalog_store.symbols_by_instrument(connection)
        ids = instruments_asked_for(connection, list(symbols) or None, names)
    found = screen(workspace.database, sessions, ids, on_progress)
    flags = found.flag.tolist()
    table = pa.table(
        {
            "symbol": pa.array([names[one] for one in found.instrument_id.tolist()], pa.string()),
            "session": pa.array(sessions.dates_of(found.ordinal), pa.date32()),
            "severity": pa.array([FLAGS[flag][0] for flag in flags], pa.string()),
            "flag": pa.array(flags, pa.string()),
            "value": pa.array(found.value, pa.float64()),
            "reason": pa.array([FLAGS[flag][1] for flag in flags], pa.string()),
        }
    )
    return table.sort_by([("symbol", "ascending"), ("session", "ascending"), ("flag", "ascending")])


def quality_as_json(found: pa.Table) -> dict[str, Any]:
    """Return flags as plain values: how many by flag and by session, and each of them."""
    rows = found.to_pylist()
    return {
        "flags": dict(sorted(Counter(row["flag"] for row in rows).items())),
        "sessions": dict(sorted(Counter(row["session"].isoformat() for row in rows).items())),
        "found": [row | {"session": row["session"].isoformat()} for row in rows],
    }


def comparison(workspace: Workspace, left: str, right: str, tolerance: float) -> pa.Table:
    """Return where two providers' daily bars differ, over the sessions and instruments that both gave.

    Columns: symbol, session (date32), field, and one column a provider (float64, null where it has no bar);
    by symbol, session and field. ``missing`` is a bar that one of them lacks between its first and last
    bar of the instrument.

    Raises:
        UsageError: nothing of a provider was ever loaded.
    """
    loader = workspace.loader(workspace.sessions)
    ours, theirs = answered(loader, left), answered(loader, right)
    found = compared(*_common(ours, theirs), tolerance)
    with workspace.database.transaction(read_only=True) as connection:
        names = catalog_store.symbols_by_instrument(connection)
    table = pa.table(
        {
            "symbol": pa.array(
                [names.get(one, str(one)) for one in found.instrument_id.tolist()], pa.string()
            ),
            "session": pa.array(workspace.sessions.dates_of(found.ordinal), pa.date32()),
            "field": pa.array(found.field.tolist(), pa.string()),
            left: pa.array(found.left, pa.float64(), mask=np.isnan(found.left)),
            right: pa.array(found.right, pa.float64(), mask=np.isnan(found.right)),
        }
    )
    return table.sort_by([("symbol", "ascending"), ("session", "ascending"), ("field", "ascending")])


def _common(left: DailyBars, right: DailyBars) -> tuple[DailyBars, DailyBars]:
    """Return the bars of the instruments and sessions that both could have given."""
    spans = [_extent(bars) for bars in (left, right)]

    def within(bars: DailyBars) -> DailyBars:
        held = [span.contain(bars.instrument_id, bars.ordinal) for span in spans]
        return bars.take(held[0] & held[1])

    return within(left), within(right)


def _extent(bars: DailyBars) -> Spans:
    ids, first = np.unique(bars.instrument_id, return_index=True)
    last = np.append(first[1:], len(bars)) - 1
    return Spans(ids.astype(np.int32), bars.ordinal[first], bars.ordinal[last])
