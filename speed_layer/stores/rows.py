"""The tables ``live_daily_bars``, ``live_unresolved`` and ``live_refused``, written by a collector."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_in
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, number
from condvest.batch_layer.shared.models.bars import Int16s, Int32s
from condvest.speed_layer.core.phases import PHASES
from condvest.speed_layer.core.provisional import Provisional
from condvest.speed_layer.core.snapshot import RefusedRow
from condvest.speed_layer.core.state import NEVER

_OPEN = np.int16(PHASES.index("open"))
_PRICES = ("open", "high", "low", "close", "volume", "vwap")
_COLUMNS = (
    Column("instrument_id", "int4"),
    Column("phase", "int2"),
    *(Column(name, "float8", float("nan")) for name in (*_PRICES, "last_price")),
    Column("last_at", "timestamptz", int(NEVER)),
    Column("data_through", "timestamptz"),
)


def write_bars(
    connection: Connection,
    run_id: int,
    ordinal: int,
    instrument_id: Int32s,
    bars: Provisional,
    phases: Int16s,
) -> int:
    """Write live rows in the place of what was known of them; return how many were altered.

    A row whose data are older than those stored is left out: what a reader has seen does not jump back.

    Args:
        connection: in a transaction.
        run_id: the run that knows them.
        ordinal: the session.
        instrument_id: int32, of each bar, none twice.
        bars: the bars.
        phases: int16, of each bar the number of its phase in PHASES.
    """
    connection.execute(
        "CREATE TEMP TABLE live_incoming (instrument_id int4, phase int2, open float8, high float8, "
        "low float8, close float8, volume float8, vwap float8, last_price float8, "
        "last_at timestamptz, data_through timestamptz) ON COMMIT DROP"
    )
    data = {name: getattr(bars, name) for name in (*_PRICES, "last_price", "last_at", "data_through")}
    # The phase "pre" has no bar; a bar is at least open.
    data |= {"instrument_id": instrument_id, "phase": np.maximum(phases, _OPEN)}
    copy_in(connection, "live_incoming", _COLUMNS, data)
    return connection.execute(
        "INSERT INTO live_daily_bars AS stored (ordinal, instrument_id, open, high, low, close, volume, "
        "vwap, phase, last_price, last_at, data_through, run_id) "
        "SELECT %s, instrument_id, open, high, low, close, volume, vwap, "
        "(ARRAY['open', 'closing', 'settled'])[phase], last_price, last_at, data_through, %s "
        "FROM live_incoming "
        "ON CONFLICT (ordinal, instrument_id) DO UPDATE SET open = excluded.open, high = excluded.high, "
        "low = excluded.low, close = excluded.close, volume = excluded.volume, vwap = excluded.vwap, "
        "phase = excluded.phase, last_price = excluded.last_price, last_at = excluded.last_at, "
        "data_through = excluded.data_through, run_id = excluded.run_id "
        "WHERE excluded.data_through >= stored.data_through",
        (ordinal, run_id),
    ).rowcount


def forget_bars(connection: Connection, ordinal: int, instrument_id: Int32s) -> None:
    """Remove the live rows that instruments have of a session, whoever wrote them."""
    connection.execute(
        "DELETE FROM live_daily_bars WHERE ordinal = %s AND instrument_id = ANY(%s::int4[])",
        (ordinal, array_of(instrument_id)),
    )


def write_unresolved(
    connection: Connection, run_id: int, ordinal: int, symbols: Sequence[str], bars: Provisional
) -> None:
    """Write live rows of symbols that no instrument carries, in the place of what was known of them."""
    if not symbols:
        return
    columns = [getattr(bars, name).tolist() for name in (*_PRICES, "data_through")]
    connection.execute(
        "INSERT INTO live_unresolved AS stored (ordinal, run_id, symbol, open, high, low, close, volume, "
        "vwap, data_through) SELECT %s, %s, symbol, nullif(open, 'nan'), high, low, close, volume, "
        "nullif(vwap, 'nan'), timestamptz 'epoch' + through * interval '1 microsecond' "
        "FROM unnest(%s::text[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], "
        "%s::float8[], %s::int8[]) AS given (symbol, open, high, low, close, volume, vwap, through) "
        "ON CONFLICT (ordinal, symbol) DO UPDATE SET run_id = excluded.run_id, open = excluded.open, "
        "high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, "
        "vwap = excluded.vwap, data_through = excluded.data_through "
        "WHERE excluded.data_through >= stored.data_through",
        (ordinal, run_id, list(symbols), *columns),
    )


def write_refused(connection: Connection, run_id: int, ordinal: int, refused: Sequence[RefusedRow]) -> None:
    """Keep refused rows: the first of each symbol and rule, and how often it came."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO live_refused AS kept (ordinal, run_id, symbol, code, reason, content) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (ordinal, symbol, code) "
            "DO UPDATE SET times = kept.times + 1, run_id = excluded.run_id",
            [
                (ordinal, run_id, row.symbol.replace("\0", "\ufffd"), row.code, row.reason, _text(row))
                for row in refused
            ],
        )


def live_count(connection: Connection, ordinal: int) -> int:
    """Return how many live rows a session has."""
    return number(connection, "SELECT count(*) FROM live_daily_bars WHERE ordinal = %s", (ordinal,))


def _text(row: RefusedRow) -> str:
    return json.dumps(row.content).replace("\\u0000", "\\ufffd")
