"""The endpoints: each a question's model and the function that answers it with a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.errors import UnknownSymbol, UsageError
from condvest.batch_layer.shared.models.bars import run_starts
from condvest.serving_layer import contract
from condvest.serving_layer.http.answers import reports
from condvest.serving_layer.http.answers.problems import Gone
from condvest.serving_layer.http.answers.reports import LARGEST, Read
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.backends.stored import Asking
from condvest.serving_layer.queries.actions import read_dividends, read_splits
from condvest.serving_layer.queries.bars.answering import Answer, answer
from condvest.serving_layer.queries.bars.bars_table import bars_table
from condvest.serving_layer.queries.bars.question import Question, as_instant
from condvest.serving_layer.queries.bars.size import check_size
from condvest.serving_layer.queries.screen import Screen, read_screen
from condvest.serving_layer.queries.sessions_table import sessions_table
from condvest.serving_layer.queries.universe import read_universe


@dataclass(frozen=True)
class Endpoint:
    """One path of the interface that answers with rows.

    Attributes:
        path: below the server's root.
        model: what it may be asked.
        read: answers with a table, and with the state it was read from if that is a single one. Its last
            argument is the load that a later page belongs to if the data have moved on; None for now.
        can_look_back: whether ``read`` can read what was known by a load.
        at_once: answers without a look at the state before, which it tells; None where that takes more.
        asking: tells what does the same in an event loop, without blocking it; None if nothing does.
        answered: makes a table of what that has read.
    """

    path: str
    model: type[contract.Common]
    read: Callable[[Backend, Any, int | None], Read]
    can_look_back: bool = False
    at_once: Callable[[Backend, Any], tuple[pa.Table, State] | None] = lambda *_: None
    asking: Callable[[Backend, Any], Asking | None] | None = None
    answered: Callable[[Any, tuple[Answer, State] | None], tuple[pa.Table, State] | None] = lambda *_: None

    @property
    def summary(self) -> str:
        """What it answers, in a sentence."""
        return (self.model.__doc__ or "").strip().splitlines()[0]


def _instant(text: str | None) -> dt.datetime | None:
    return None if text is None else as_instant(text)


def _question(query: contract.BarsQuery) -> Question:
    return Question(
        symbols=query.all_symbols(),
        interval=query.interval,
        start=query.start,
        end=query.end,
        adjust=query.adjust,
        anchor=query.anchor,
        include_open=query.include_open,
        as_of=_instant(query.as_of),
        unique_symbols=query.unique_symbols,
        include_live=query.live,
    )


def _bars_at_once(backend: Backend, query: contract.BarsQuery) -> tuple[pa.Table, State] | None:
    """Answer about one symbol, far within every bound."""
    return _bars_answered(query, backend.stored(_question(query)))


def _asking_bars(backend: Backend, query: contract.BarsQuery) -> Asking | None:
    return backend.asking(_question(query))


def _bars_answered(
    query: contract.BarsQuery, stored: tuple[Answer, State] | None
) -> tuple[pa.Table, State] | None:
    if stored is None:
        return None
    return _newest(stored[0], query.last), stored[1]  # of one symbol


def _bars(backend: Backend, query: contract.BarsQuery, known_by: int | None) -> Read:
    question = _question(query)
    as_of = question.as_of
    if known_by is not None and query.live:
        raise Gone("live: the running bars have moved on since the first page; ask for it again")
    if known_by is not None and as_of is None:
        # Stored bars have moved on: fold the daily bars that the first page was made from.
        question = replace(question, as_of=dt.datetime.now(dt.UTC))
    with backend.reading(as_of, known_by) as (stored, at):
        check_size(stored, question, LARGEST)
        source, state = backend.with_live(stored, at) if query.live else (stored, at)
        answered = answer(source, question)
    return _newest(answered, query.last), state


def _newest(answered: Answer, count: int | None) -> pa.Table:
    """Return the last ``count`` rows of each instrument, all if None; its rows stand together.

    Two instruments may have one symbol: the former and the present company.
    """
    table = bars_table(answered)
    if count is None or not len(table):
        return table
    ends = np.append(run_starts(answered.bars.instrument_id)[1:], len(table))
    length = np.diff(ends, prepend=0)
    if len(length) == 1:
        return table.slice(max(0, len(table) - count))
    if length.max() <= count:
        return table
    from_the_end = np.repeat(ends, length) - np.arange(len(table))
    return table.filter(pa.array(from_the_end <= count))


def _instruments(backend: Backend, query: contract.InstrumentsQuery, _: int | None) -> Read:
    as_of = _instant(query.as_of)
    reference = backend.reference
    table = reference.instruments() if as_of is None else reference.instruments_at(as_of)
    if query.active is not None:
        table = table.filter(pc.equal(table["active"], query.active))
    if query.search:
        matches = [
            pc.match_substring(pc.fill_null(table[name], ""), query.search, ignore_case=True)
            for name in ("symbol", "name")
        ]
        table = table.filter(pc.or_(*matches))
    return table, None


def _symbols(backend: Backend, query: contract.SymbolsQuery, _: int | None) -> Read:
    spans = backend.reference.symbols()
    wanted = query.all_symbols()
    rows = [
        {"symbol": symbol, "instrument_id": instrument, "valid_from": first, "valid_to": last}
        for instrument, symbol, first, last in spans
        if (wanted is None or symbol in wanted) and _carried(first, last, query.on)
    ]
    unknown = sorted(set(wanted or ()) - {symbol for _, symbol, _, _ in spans})
    if unknown:
        raise UnknownSymbol(f"no instrument carries or carried the symbol {unknown[0]}")
    schema = {
        "symbol": pa.string(),
        "instrument_id": pa.int32(),
        "valid_from": pa.date32(),
        "valid_to": pa.date32(),
    }
    return pa.Table.from_pylist(rows, schema=pa.schema(list(schema.items()))), None


def _carried(first: dt.date | None, last: dt.date | None, on: dt.date | None) -> bool:
    return on is None or (first or dt.date.min) <= on <= (last or dt.date.max)


def _splits(backend: Backend, query: contract.ActionsQuery, _: int | None) -> Read:
    with backend.reading(_instant(query.as_of)) as (source, state):
        return read_splits(source, query.all_symbols(), query.start, query.end), state


def _dividends(backend: Backend, query: contract.ActionsQuery, _: int | None) -> Read:
    with backend.reading(_instant(query.as_of)) as (source, state):
        return read_dividends(source, query.all_symbols(), query.start, query.end), state


def _universe(backend: Backend, query: contract.UniverseQuery, _: int | None) -> Read:
    with backend.reading(_instant(query.as_of)) as (source, state):
        return read_universe(source, query.on), state


def _sessions(backend: Backend, query: contract.SessionsQuery, _: int | None) -> Read:
    with backend.reading() as (source, state):
        return sessions_table(source.sessions, query.start, query.end), state


def _screen(backend: Backend, query: contract.ScreenQuery, _: int | None) -> Read:
    screen = Screen(query.interval, query.on, query.min_close, query.min_volume)
    with backend.reading() as (source, state):
        table = read_screen(source, screen, LARGEST)
    column, order = query.sort.removeprefix("-"), "descending" if query.sort.startswith("-") else "ascending"
    if column not in table.column_names:
        raise UsageError(f"sort: no column {column!r}; there are {', '.join(table.column_names)}")
    return table.sort_by([(column, order), ("symbol", "ascending")]), state


ENDPOINTS = (
    Endpoint(
        "/v1/bars",
        contract.BarsQuery,
        _bars,
        can_look_back=True,
        at_once=_bars_at_once,
        asking=_asking_bars,
        answered=_bars_answered,
    ),
    Endpoint("/v1/instruments", contract.InstrumentsQuery, _instruments),
    Endpoint("/v1/symbols", contract.SymbolsQuery, _symbols),
    Endpoint("/v1/splits", contract.ActionsQuery, _splits),
    Endpoint("/v1/dividends", contract.ActionsQuery, _dividends),
    Endpoint("/v1/universe", contract.UniverseQuery, _universe),
    Endpoint("/v1/sessions", contract.SessionsQuery, _sessions),
    Endpoint("/v1/screen", contract.ScreenQuery, _screen),
    Endpoint("/v1/coverage", contract.CoverageQuery, reports.coverage),
    Endpoint("/v1/gaps", contract.GapsQuery, reports.gaps),
    Endpoint("/v1/quality", contract.QualityQuery, reports.quality),
    Endpoint("/v1/history", contract.HistoryQuery, reports.history),
    Endpoint("/v1/refused", contract.RefusedQuery, reports.refused),
    Endpoint("/v1/runs", contract.RunsQuery, reports.runs),
    Endpoint("/v1/alerts", contract.AlertsQuery, reports.alerts),
)
"""Every endpoint that answers with rows."""

BY_BODY = ("/v1/bars",)
"""The paths that may be asked by a body, too."""
