"""What providers' answers left open: bars in doubt, and splits and dividends without an instrument."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of_texts, rows
from condvest.batch_layer.shared.core.names.names_of_today import Naming
from condvest.batch_layer.shared.models.given.file_options import SymbolsMean

SYMBOLS_MEAN = "symbols_mean"
"""What the content of an action that waits for an instrument says beside its values."""


def doubted_since(connection: Connection, provider_id: int) -> dict[str, dt.date]:
    """Return, by symbol, the first session of which the provider's last answer left a bar in doubt.

    An answer without doubts ends those of the answers before it from the same place.
    """
    query: LiteralString = (
        "SELECT symbol, min(session) FROM refused_rows WHERE code = 'in_doubt' AND session IS NOT NULL "
        "AND load_id IN (SELECT max(load_id) FROM loads "
        "  WHERE provider_id = %s AND dataset = 'daily_bars' GROUP BY name) GROUP BY symbol"
    )
    return dict(rows(connection, query, (provider_id,)))


def first_sessions(connection: Connection, symbols: Sequence[str]) -> dict[str, dt.date]:
    """Return, by symbol, the session of the first daily bar of whoever carries it now, or carried it last."""
    query: LiteralString = (
        "SELECT symbol, session FROM (SELECT DISTINCT ON (symbol) symbol, instrument_id FROM symbols "
        "  WHERE symbol = ANY(%s::text[]) ORDER BY symbol, valid_to DESC, valid_from DESC) AS carrier "
        "JOIN LATERAL (SELECT ordinal FROM daily_bars AS bar "
        "  WHERE bar.instrument_id = carrier.instrument_id ORDER BY ordinal LIMIT 1) AS first ON true "
        "JOIN sessions USING (ordinal)"
    )
    return dict(rows(connection, query, (array_of_texts(symbols),)))


@dataclass(frozen=True)
class HomelessAction:
    """A split or dividend that was refused for want of an instrument, and whose symbol somebody has now.

    Attributes:
        load_id, line: of the refused row.
        symbol, ex_date: of the action.
        values: its ratio or its amount, by name of column, among what was given.
        symbols_mean: whether the symbol is meant as of the ex-date, or as of today.
        naming: how a list of today's names names it.
    """

    load_id: int
    line: int
    symbol: str
    ex_date: dt.date
    values: dict[str, Any]
    symbols_mean: SymbolsMean
    naming: Naming


def homeless_actions(connection: Connection, dataset: str) -> list[HomelessAction]:
    """Return the homeless splits or dividends whose symbol somebody has, or had later; by load and line.

    Whether the symbol is carried on the ex-date itself is not asked.
    """
    query: LiteralString = (
        "SELECT load_id, line, symbol, session, content, fetched_at, provider, archive_key "
        "FROM refused_rows JOIN loads USING (load_id) JOIN providers USING (provider_id) "
        "WHERE code = 'no_instrument' AND dataset = %s AND EXISTS (SELECT FROM symbols "
        "  WHERE symbols.symbol = refused_rows.symbol AND valid_to >= refused_rows.session) ORDER BY 1, 2"
    )
    waiting = []
    for load_id, line, symbol, ex_date, content, *source in rows(connection, query, (dataset,)):
        fetched_at, provider, archive_key = source
        values = json.loads(content)
        means: SymbolsMean = "today" if values.get(SYMBOLS_MEAN) == "today" else "date"
        naming = Naming.of(provider, archive_key, fetched_at, dataset)
        waiting.append(HomelessAction(load_id, line, symbol, ex_date, values, means, naming))
    return waiting


def note_adopted(connection: Connection, action: HomelessAction) -> None:
    """Note in its load that an action is stored now, and is refused no longer."""
    connection.execute(
        "UPDATE loads SET refused = refused - 1, inserted = inserted + 1 WHERE load_id = %s",
        (action.load_id,),
    )
    connection.execute(
        "DELETE FROM refused_rows WHERE load_id = %s AND line = %s", (action.load_id, action.line)
    )
