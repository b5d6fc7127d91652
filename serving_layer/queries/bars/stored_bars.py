"""Bars from the database: those of one symbol, which most questions want, by a single statement."""

from __future__ import annotations

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.postgres.prepared import Row, Statement, ask
from condvest.batch_layer.database.stores.bars.symbol_bars import (
    SymbolBars,
    asking_symbol_bars,
    symbol_bars_in,
)
from condvest.batch_layer.shared.core.adjustment import adjust_in_place
from condvest.batch_layer.shared.core.windows import windows_of
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.bars.answering import Answer, answer
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.windows import bounds_of, days_of_windows

_STORED = (1, *INTERVALS)
"""The intervals whose bars need not be folded."""


def answer_from_database(database: Database, sessions: Sessions, question: Question) -> Answer:
    """Answer a question from one state of the database.

    Args:
        database: the database.
        sessions: the calendar as it was read; if it has changed since, it is read again.
        question: the question.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol of the question.
        TransientError, DatabaseError: the database is unreachable or refuses.
        SchemaTooNew, MigrationEdited: it has been migrated since it was opened, beyond this version.
    """
    stored = answer_by_one_statement(database, sessions, question)
    if stored is not None:
        return stored
    from condvest.serving_layer.sources.database import reading  # noqa: PLC0415  # not for what is asked for most

    with reading(database, sessions, question.as_of) as source:
        return answer(source.with_live() if question.include_live else source, question)


def answer_by_one_statement(database: Database, sessions: Sessions, question: Question) -> Answer | None:
    """Answer a question by a single statement, which sees one state of the database.

    Returns:
        None if it takes more than that: other bars than those stored, not just one symbol or an unknown one,
        windows that wait to be resampled, another calendar or schema than was read.

    Raises:
        DatabaseUnavailable: no server answers, or the connection was lost.
        DatabaseError: the server refuses.
    """
    statement = _asking(sessions, question, is_named=False)
    if statement is None:
        return None
    stored = _stored(ask(database, statement), database.schema, sessions, is_named=False)
    return None if stored is None else _answer(sessions, question, stored)


def asking_of_snapshot(sessions: Sessions, question: Question) -> Statement | None:
    """Return the statement that answers a question and says which snapshot it saw; None if there is none."""
    return _asking(sessions, question, is_named=True)


def answer_of_snapshot(
    row: Row, schema: int | None, sessions: Sessions, question: Question
) -> tuple[Answer, tuple[str, int]] | None:
    """Return the answer that the row of such a statement tells, its snapshot and the last load in it.

    Args:
        row: of the statement.
        schema: that the database had when it was opened; see `Database`.
        sessions: the calendar that the statement was made with.
        question: that it answers.

    Returns:
        None if it takes more than that, as `answer_by_one_statement` says, or the snapshot cannot be told.
    """
    stored = _stored(row, schema, sessions, is_named=True)
    if stored is None or stored.snapshot is None:
        return None
    return _answer(sessions, question, stored), stored.snapshot


def _asking(sessions: Sessions, question: Question, *, is_named: bool) -> Statement | None:
    symbol = _only_symbol(question)
    if symbol is None:
        return None
    n = question.interval
    first, last = bounds_of(sessions, question)
    windows = first // n, (last - (n - 1)) // n
    complete = not question.include_open
    return asking_symbol_bars(n, symbol, windows, complete=complete, is_named=is_named)


def _stored(row: Row, schema: int | None, sessions: Sessions, *, is_named: bool) -> SymbolBars | None:
    """Return what a row tells; None if it is not enough."""
    stored = symbol_bars_in(row, is_named=is_named)
    calendar = sessions.last_ordinal, sessions.date[-1].item()
    if stored is None or calendar != (stored.last_ordinal, stored.last_session):
        return None
    return stored if schema in (None, stored.schema) else None


def _answer(sessions: Sessions, question: Question, stored: SymbolBars) -> Answer:
    n, bars = question.interval, stored.bars
    if question.adjust == "splits" and len(stored.splits):
        splits = stored.splits.on(sessions)
        until = stored.coverage.last_loaded(splits.instrument_id)
        adjust_in_place(bars, splits, windows_of(splits.ex_ordinal, n), until)
    first_day, last_day = days_of_windows(sessions, n, bars.window)
    return Answer(n, bars, {stored.instrument_id: stored.symbol}, first_day, last_day)


def _only_symbol(question: Question) -> str | None:
    """Return the symbol whose stored bars answer the question; None if others are needed, or more."""
    is_stored = question.interval in _STORED and question.anchor == "calendar" and question.as_of is None
    symbols = question.symbols
    if not is_stored or question.adjust == "total" or question.unique_symbols or question.include_live:
        return None
    if question.symbols_on is not None:
        return None
    if not isinstance(symbols, (list, tuple)):
        return None
    only = symbols[0] if len(symbols) == 1 else None
    # What cannot be printed is no symbol, and may not go to the server as a text.
    return only if isinstance(only, str) and only.isprintable() else None
