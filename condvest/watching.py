"""Watching running bars from Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from condvest.api import bars
from condvest.asking import From, Symbols, as_symbols, present_settings
from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.postgres.connecting.listening import Listening
from condvest.batch_layer.database.stores.daily.live import first_live
from condvest.batch_layer.shared.errors import DatabaseUnavailable, UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.opening import open_for_reading

_LOOK_EVERY = 30.0
"""Seconds; notices come at once, but a line that is cut says nothing."""

LIVE_ROWS = pa.schema(
    [
        ("symbol", pa.string()),
        ("session", pa.date32()),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "vwap")),
        ("phase", pa.string()),
        ("data_through", pa.timestamp("us", "UTC")),
        ("is_whole", pa.bool_()),
    ]
)


def watch(
    symbols: Symbols | None = None,
    interval: int = 13,
    *,
    source: From = "database",
    settings: Settings | None = None,
) -> Iterator[pa.Table]:
    """Yield the running bars now, and again whenever what is committed changes them, until it is closed.

    Between two tables several ticks may have passed: each is of the newest.

    Args:
        symbols: one symbol or several; all if None.
        interval: sessions per bar, as of `bars`; 1 with a NATS server.
        source: ``"database"``, or ``"nats://host:4222"``: what ``condvest live run --sink`` publishes.
        settings: where the database is; from the environment if None.

    Yields:
        From the database: a table as `bars` gives with ``include_live``, of the bars that are live; without
        rows while no session is under way. From a NATS server: the live rows that have changed since the
        table before, ascending by symbol: symbol, session (date32), open, high, low, close, volume, vwap
        (float64, vwap null where unknown), phase (string), data_through (timestamp, UTC), is_whole (bool,
        whether all that the vendor told is known: no gap is open).

    Raises:
        UnknownSymbol, UsageError, CondvestError: as `bars` does.
    """
    wanted = as_symbols(symbols)
    if source.startswith(("nats://", "tls://")):
        if interval != 1:
            raise UsageError(f"interval {interval}: a NATS server has live rows of one session: interval=1")
        yield from _from_sink(source, wanted or ())
        return
    if source != "database":
        raise UsageError(f"source {source!r}: choose database or nats://host:port")
    settings = settings or present_settings()
    with open_for_reading(settings) as opened:
        listening = Listening(opened.database.another(), ["condvest_live"])
        try:
            yield from _from_database(opened, listening, wanted, interval)
        finally:
            listening.close()


def _from_database(
    opened: OpenDatabase, listening: Listening, symbols: list[str] | None, interval: int
) -> Iterator[pa.Table]:
    listening.wait(0)  # from here on nothing is missed
    before: pa.Table | None = None
    while True:
        with opened.database.transaction(read_only=True) as connection:
            start = first_live(connection) or dt.date.max
        # A bar that ends before the first live session is not live.
        table = bars(
            symbols, interval, start, include_open=True, include_live=True, settings=opened.settings
        ).filter(pc.field("is_live"))
        if before is None or not table.equals(before):
            yield table
        before = table
        try:
            listening.wait(_LOOK_EVERY)
        except DatabaseUnavailable:
            listening.wait(0)  # on a new connection, or it is the end


def _from_sink(url: str, symbols: Sequence[str]) -> Iterator[pa.Table]:
    from condvest.live.sinking import follow  # noqa: PLC0415  # an extra

    for rows, known in follow(url, symbols):
        running = sorted((row for row in rows if "close" in row), key=lambda row: str(row["symbol"]))
        if running:
            yield pa.Table.from_pylist([_typed(row, known.is_whole) for row in running], schema=LIVE_ROWS)


def _typed(row: dict[str, Any], is_whole: bool) -> dict[str, Any]:  # noqa: FBT001  # of one caller
    return {
        **{name: row.get(name) for name in LIVE_ROWS.names},
        "session": dt.date.fromisoformat(row["session"]),
        "data_through": dt.datetime.fromisoformat(row["data_through"]),
        "is_whole": is_whole,
    }
