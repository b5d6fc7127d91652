"""What the endpoints answer that tell who is who, and when the exchange is open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.database.stores.status import ledger_rows
from condvest.batch_layer.shared.errors import UnknownName, UnknownSymbol, UsageError
from condvest.batch_layer.shared.models.instruments.labels import of_label
from condvest.batch_layer.shared.utils.naming import unknown_name
from condvest.serving_layer import contract
from condvest.serving_layer.http.answers.reports import Read, state_of
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.reference import published_with
from condvest.serving_layer.queries.bars.question import as_instant
from condvest.serving_layer.queries.sessions_table import sessions_table, with_status
from condvest.serving_layer.queries.universe import read_universe
from condvest.serving_layer.sources import SymbolSpan, was_carried

_SYMBOLS = pa.schema(
    [
        ("symbol", pa.string()),
        ("instrument_id", pa.int32()),
        ("valid_from", pa.date32()),
        ("valid_to", pa.date32()),
    ]
)


def instant(text: str | None) -> dt.datetime | None:
    """Return the instant of a parameter; None if it was left out."""
    return None if text is None else as_instant(text)


def instruments(backend: Backend, query: contract.InstrumentsQuery, _: int | None) -> Read:
    """Answer what is known about instruments."""
    as_of, symbols = instant(query.as_of), query.all_symbols()
    if query.symbols_on is not None and symbols is None:
        raise UsageError("symbols_on: name the symbols that were carried on that date, or leave it out")
    reference = backend.reference
    all_of_them = reference.instruments() if as_of is None else reference.instruments_at(as_of)
    table = all_of_them
    if symbols is not None:
        spans = reference.symbols() if query.symbols_on is not None else []
        table = table.filter(
            pc.is_in(table["instrument_id"], _named(table, spans, symbols, query.symbols_on))
        )
    for name, wanted in (("type", query.type), ("exchange", query.exchange)):
        if wanted is not None:
            table = table.filter(pc.equal(table[name], _known(name, wanted, all_of_them)))
    if query.active is not None:
        table = table.filter(pc.equal(table["active"], query.active))
    if query.search:
        matches = [
            pc.match_substring(pc.fill_null(table[name], ""), query.search, ignore_case=True)
            for name in ("symbol", "name")
        ]
        table = table.filter(pc.or_(*matches))
    return table, None


def _known(name: str, wanted: str, instruments: pa.Table) -> str:
    """Return a type or an exchange if any instrument has it; raises UnknownName if none has."""
    known = set(instruments[name].unique().to_pylist()) - {None}
    if wanted not in known:
        raise unknown_name(f"{name} of an instrument", wanted, known, name)
    return wanted


def _named(
    table: pa.Table, spans: Sequence[SymbolSpan], symbols: Sequence[str], on: dt.date | None
) -> pa.Array:
    """Return the instruments of a table that symbols or labels name, by their last symbol or that of a date.

    Raises:
        UnknownSymbol: one of them names none.
    """
    instruments, last = table["instrument_id"].to_pylist(), table["symbol"].to_pylist()
    own = set(zip(last, instruments, strict=True))
    carried = own
    if on is not None:
        there = set(instruments)
        carried = {
            (symbol, instrument)
            for instrument, symbol, first, until in spans
            if instrument in there and was_carried(first, until, on)
        }
    by_name: dict[str, set[int]] = {}
    for symbol, instrument in carried:
        by_name.setdefault(symbol, set()).add(instrument)
    chosen: set[int] = set()
    unknown = []
    for symbol in symbols:
        label = of_label(symbol)
        ids = by_name.get(symbol) or ({label[1]} if label in own and label else set())
        chosen |= ids
        if not ids:
            unknown.append(symbol)
    if unknown:
        when = "carries or carried last" if on is None else f"carried on {on}"
        raise UnknownSymbol(f"no instrument {when} the symbol {', '.join(unknown)}", unknown)
    return pa.array(sorted(chosen), pa.int32())


def symbols(backend: Backend, query: contract.SymbolsQuery, _: int | None) -> Read:
    """Answer who carried which symbol from when to when."""
    spans = backend.reference.symbols()
    wanted = query.all_symbols()
    rows = [
        {"symbol": symbol, "instrument_id": instrument, "valid_from": first, "valid_to": last}
        for instrument, symbol, first, last in spans
        if (wanted is None or symbol in wanted)
        and query.instrument_id in (None, instrument)
        and (query.on is None or was_carried(first, last, query.on))
    ]
    if query.instrument_id not in {None, *(instrument for instrument, *_ in spans)}:
        raise UnknownName(
            f"no instrument {query.instrument_id}", "instrument_id", value=str(query.instrument_id)
        )
    unknown = sorted(set(wanted or ()) - {symbol for _, symbol, _, _ in spans})
    if unknown:
        raise UnknownSymbol(f"no instrument carries or carried the symbol {', '.join(unknown)}", unknown)
    return pa.Table.from_pylist(rows, schema=_SYMBOLS), None


def universe(backend: Backend, query: contract.UniverseQuery, _: int | None) -> Read:
    """Answer who could be traded on a date."""
    with backend.reading(instant(query.as_of)) as (source, state):
        return read_universe(source, query.on), state


def sessions(backend: Backend, query: contract.SessionsQuery, _: int | None) -> Read:
    """Answer when the exchange is open, and what of it was loaded."""
    if query.provider is None:
        with backend.reading() as (source, state):
            return sessions_table(source.sessions, query.start, query.end), state
    if backend.has_database:
        opened = backend.opened
        with opened.database.transaction(snapshot=True, read_only=True) as connection:
            ledger = ledger_rows(connection)
        return with_status(opened.sessions, query.start, query.end, ledger, query.provider), None
    published = published_with(backend, "coverage")
    ledger = published.small("coverage").to_pylist()
    table = with_status(published.sessions, query.start, query.end, ledger, query.provider)
    return table, state_of(published)
