"""The tables of settlement: how far live rows were from the official bars."""

from __future__ import annotations

from typing import Any, LiteralString

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_out
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, records, rows
from condvest.batch_layer.database.stores.daily.live import read_live
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, DailyBars
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.speed_layer.core.settlement import Settlement

_OFFICIAL = (
    Column("instrument_id", "int4"),
    Column("ordinal", "int4"),
    *(Column(name, "float8") for name in ("open", "high", "low", "close", "volume", "vwap")),
    Column("trades", "int8"),
)


def to_settle(connection: Connection) -> list[int]:
    """Return the sessions with live rows that are official: complete for the provider that collected them."""
    return column(
        connection,
        "SELECT DISTINCT live.ordinal FROM live_daily_bars AS live JOIN live_runs USING (run_id) "
        "JOIN providers USING (provider) JOIN ledger USING (provider_id) "
        "WHERE ledger.ordinal = live.ordinal AND ledger.status = 'complete' ORDER BY 1",
    )


def live_of(connection: Connection, ordinal: int) -> tuple[LiveBars, list[str]]:
    """Return the live rows of a session, by instrument, and the phase of each."""
    live = read_live(connection)
    live = live.take(live.ordinal == ordinal)
    query: LiteralString = "SELECT instrument_id, phase FROM live_daily_bars WHERE ordinal = %s"
    phase: dict[int, str] = dict(rows(connection, query, (ordinal,)))
    return live, [phase[instrument] for instrument in live.instrument_id.tolist()]


def official_of(connection: Connection, ordinal: int) -> DailyBars:
    """Return the official bars of a session, by instrument."""
    return DailyBars(
        **copy_out(
            connection,
            "SELECT instrument_id, ordinal, coalesce(open, 'nan'), high, low, close, volume, "
            "coalesce(vwap, 'nan'), coalesce(trades, %(unknown)s) FROM daily_bars "
            "WHERE ordinal = %(ordinal)s ORDER BY 1",
            _OFFICIAL,
            {"ordinal": ordinal, "unknown": UNKNOWN_TRADES},
        )
    )


def write_settlement(connection: Connection, ordinal: int, settled: Settlement) -> None:
    """Keep a comparison in the place of an earlier one, and remove the live rows that no longer count.

    Rows of instruments of another provider, whose session is not complete, stay: somebody reads them.
    """
    connection.execute("DELETE FROM live_settlements WHERE ordinal = %s", (ordinal,))
    connection.execute("DELETE FROM live_settlement_fields WHERE ordinal = %s", (ordinal,))
    connection.execute("DELETE FROM live_differences WHERE ordinal = %s", (ordinal,))
    connection.execute(
        "INSERT INTO live_settlements (ordinal, compared, only_live, only_official, differing) "
        "VALUES (%s, %s, %s, %s, %s)",
        (ordinal, settled.compared, settled.only_live, settled.only_official, settled.differing),
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO live_settlement_fields (ordinal, phase, field, compared, equal, median, p99, "
            "largest) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    ordinal,
                    figure.phase,
                    figure.field,
                    figure.compared,
                    figure.equal,
                    figure.median,
                    figure.p99,
                    figure.largest,
                )
                for figure in settled.figures
            ],
        )
        cursor.executemany(
            "INSERT INTO live_differences (ordinal, instrument_id, field, live, official) "
            "VALUES (%s, %s, %s, %s, %s)",
            [(ordinal, *difference) for difference in settled.differences],
        )
    connection.execute(
        "DELETE FROM live_daily_bars AS live WHERE live.ordinal = %(ordinal)s AND ("
        "EXISTS (SELECT FROM daily_bars WHERE daily_bars.instrument_id = live.instrument_id "
        " AND daily_bars.instrument_id %% 16 = live.instrument_id %% 16 "
        " AND daily_bars.ordinal = live.ordinal) "
        "OR EXISTS (SELECT FROM instrument_providers AS own JOIN ledger USING (provider_id) "
        " WHERE own.instrument_id = live.instrument_id AND ledger.ordinal = live.ordinal "
        " AND ledger.status = 'complete') "
        "OR NOT EXISTS (SELECT FROM instrument_providers AS own "
        " WHERE own.instrument_id = live.instrument_id))",
        {"ordinal": ordinal},
    )
    connection.execute("DELETE FROM live_unresolved WHERE ordinal <= %s", (ordinal,))
    connection.execute("DELETE FROM live_refused WHERE ordinal < %s", (ordinal,))


def settlements(connection: Connection, ordinal: int | None = None) -> list[dict[str, Any]]:
    """Return the figures of one session, the newest if None: a row per phase and field."""
    return records(
        connection,
        "SELECT session, phase, field, fields.compared, equal, median, p99, largest, only_live, "
        "only_official, differing FROM live_settlement_fields AS fields "
        "JOIN live_settlements USING (ordinal) JOIN sessions USING (ordinal) "
        "WHERE ordinal = coalesce(%s, (SELECT max(ordinal) FROM live_settlements)) "
        "ORDER BY phase, array_position(ARRAY['open', 'high', 'low', 'close', 'volume', 'vwap'], field)",
        (ordinal,),
    )
