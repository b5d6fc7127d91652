"""The endpoints: each a question's model and the function that answers it with a table."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.models.bars import run_starts
from condvest.serving_layer import contract
from condvest.serving_layer.contract import reports as asked
from condvest.serving_layer.http.answers import reference, reports
from condvest.serving_layer.http.answers.problems import BadRequest, Gone
from condvest.serving_layer.http.answers.reports import LARGEST, Read
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.backends.stored import Asking
from condvest.serving_layer.queries.actions import read_dividends, read_splits
from condvest.serving_layer.queries.bars.answering import Answer, answer
from condvest.serving_layer.queries.bars.bars_table import bars_table
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.size import check_size
from condvest.serving_layer.queries.screen import Screen, read_screen


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


def _question(query: contract.BarsQuery) -> Question:
    return Question(
        symbols=query.all_symbols(),
        interval=query.interval,
        start=query.start,
        end=query.end,
        adjust=query.adjust,
        anchor=query.anchor,
        include_open=query.include_open,
        as_of=reference.instant(query.as_of),
        unique_symbols=query.unique_symbols,
        include_live=query.live,
        symbols_on=query.symbols_on,
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


def _splits(backend: Backend, query: contract.ActionsQuery, _: int | None) -> Read:
    with backend.reading(reference.instant(query.as_of)) as (source, state):
        return read_splits(source, query.all_symbols(), query.start, query.end), state


def _dividends(backend: Backend, query: contract.ActionsQuery, _: int | None) -> Read:
    with backend.reading(reference.instant(query.as_of)) as (source, state):
        return read_dividends(source, query.all_symbols(), query.start, query.end), state


def _screen(backend: Backend, query: contract.ScreenQuery, _: int | None) -> Read:
    screen = Screen(query.interval, query.on, query.min_close, query.min_volume)
    with backend.reading() as (source, state):
        table = read_screen(source, screen, LARGEST)
    column, order = query.sort.removeprefix("-"), "descending" if query.sort.startswith("-") else "ascending"
    if column not in table.column_names:
        near = difflib.get_close_matches(column, table.column_names, n=3)
        there_are = ", ".join(table.column_names)
        raise BadRequest(f"sort: no column {column!r}; there are {there_are}", "sort", near, query.sort)
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
    Endpoint("/v1/instruments", contract.InstrumentsQuery, reference.instruments),
    Endpoint("/v1/symbols", contract.SymbolsQuery, reference.symbols),
    Endpoint("/v1/splits", contract.ActionsQuery, _splits),
    Endpoint("/v1/dividends", contract.ActionsQuery, _dividends),
    Endpoint("/v1/universe", contract.UniverseQuery, reference.universe),
    Endpoint("/v1/sessions", contract.SessionsQuery, reference.sessions),
    Endpoint("/v1/screen", contract.ScreenQuery, _screen),
    Endpoint("/v1/coverage", asked.CoverageQuery, reports.coverage),
    Endpoint("/v1/gaps", asked.GapsQuery, reports.gaps),
    Endpoint("/v1/quality", asked.QualityQuery, reports.quality),
    Endpoint("/v1/history", asked.HistoryQuery, reports.history),
    Endpoint("/v1/refused", asked.RefusedQuery, reports.refused),
    Endpoint("/v1/runs", asked.RunsQuery, reports.runs),
    Endpoint("/v1/alerts", asked.AlertsQuery, reports.alerts),
)
"""Every endpoint that answers with rows."""

BY_BODY = ("/v1/bars",)
"""The paths that may be asked by a body, too."""
