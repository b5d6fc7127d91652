"""What Massive's paths of bars are asked, read from a backend.

What cannot be answered is an error, never a result that looks like one: a session that is not loaded whole is
refused, so that nobody takes it for one on which nothing was traded.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.errors import CondvestError, UnknownSymbol, UsageError
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL, Sessions
from condvest.serving_layer.compatible.massive import bars as written
from condvest.serving_layer.compatible.massive.parameters import Parameters, date_of
from condvest.serving_layer.compatible.massive.records import Record
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.queries.bars.answering import answer
from condvest.serving_layer.queries.bars.bars_table import bars_table, read_bars_from
from condvest.serving_layer.queries.bars.question import LONGEST_ANSWERED, Adjust, Question
from condvest.serving_layer.sources import BarSource

Given = Mapping[str, str]
"""The parts of a path, by name."""


class NotCovered(CondvestError):
    """A session that this server's data do not hold whole."""


def range_of_bars(backend: Backend, given: Given, asked: Parameters) -> list[Record]:
    """Return bars of n sessions whose first session lies between two dates, inclusive.

    Only complete ones unless ``include_open=true``, since an answer has no mark for those that are not; daily
    bars are all given.
    """
    interval, since, until = (
        _sessions_per_bar(given),
        date_of("from", given["since"]),
        date_of("to", given["until"]),
    )
    if since > until:
        raise UsageError(f"from {since} lies after to {until}")
    include_open = bool(asked.flag("include_open", default=False))
    question = Question(
        symbols=[given["ticker"]],
        interval=interval,
        start=since,
        adjust=_adjust(asked),
        include_open=include_open or interval == 1,
    )
    with backend.reading() as (source, _):
        end = _end_of_windows(source.sessions, until, interval)
        table = read_bars_from(source, replace(question, end=max(end, since)))
    started = table["first_session"]
    table = table.filter(
        pc.and_(
            pc.greater_equal(started, pa.scalar(since, pa.date32())),
            pc.less_equal(started, pa.scalar(until, pa.date32())),
        )
    )
    return written.aggregates(table)


def range_head(given: Given, asked: Parameters, count: int) -> dict[str, Any]:
    """Return what a page of so many bars says beside them."""
    counts = {"queryCount": count, "resultsCount": count}
    return {"ticker": given["ticker"], "adjusted": _adjust(asked) == "splits", **counts}


def session_of_bars(backend: Backend, given: Given, asked: Parameters) -> dict[str, Any]:
    """Return the daily bars of a session, each under the symbol that its instrument carried that day.

    Raises:
        NotCovered: the session is not loaded in full.
    """
    date, adjust = date_of("date", given["date"]), _adjust(asked)
    asked.flag("include_otc", default=False)  # there are none
    asked.text("locale", ("us",), "us")
    asked.text("market_type", ("stocks",), "stocks")
    with backend.reading() as (source, _):
        head = {"adjusted": adjust == "splits"}
        ordinal = int(source.sessions.ordinals_of(np.array([date], "datetime64[D]"))[0])
        if ordinal == NO_ORDINAL:
            return written.with_results(head, [])
        _check_loaded(source.coverage(np.zeros(0, np.int32)), ordinal, date)
        bars = answer(source, Question(interval=1, start=date, end=date, adjust=adjust, include_open=True))
        carried = _carried_on(source, date)
    symbols = [carried.get(each, bars.symbols[each]) for each in bars.bars.instrument_id.tolist()]
    closes_at = _close_of(source.sessions, date)
    return written.with_results(head, written.grouped(bars_table(bars), symbols, closes_at))


def newest_bar(backend: Backend, given: Given, asked: Parameters) -> dict[str, Any]:
    """Return the newest daily bar of a ticker."""
    with backend.reading() as (source, _):
        table = _daily(source, given["ticker"], asked)
        table = table.slice(max(len(table) - 1, 0))
        head = {"ticker": given["ticker"], "adjusted": _adjust(asked) == "splits"}
        if not len(table):
            return written.with_results(head, [])
        closes_at = _close_of(source.sessions, table["last_session"][0].as_py())
    return written.with_results(head, written.grouped(table, [given["ticker"]], closes_at))


def one_bar(backend: Backend, given: Given, asked: Parameters) -> dict[str, Any]:
    """Return the daily bar of a ticker on a date.

    Raises:
        UnknownSymbol: there is none.
    """
    date = date_of("date", given["date"])
    with backend.reading() as (source, _):
        table = _daily(source, given["ticker"], asked, date)
    if not len(table):
        raise UnknownSymbol(f"no daily bar of {given['ticker']} on {date}")
    return written.open_close(given["ticker"], table)


def _sessions_per_bar(given: Given) -> int:
    if given["timespan"] != "day":
        raise UsageError(f"timespan {given['timespan']!r}: bars are made of sessions; ask for day")
    text = given["multiplier"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= LONGEST_ANSWERED):  # noqa: PLR2004  # digits
        raise UsageError(f"multiplier {text!r}: a bar has 1 to {LONGEST_ANSWERED} sessions")
    return int(text)


def _end_of_windows(sessions: Sessions, until: dt.date, n: int) -> dt.date:
    """Return a session by which every window of n sessions has ended that begins on or before a date."""
    after = np.array([np.datetime64(until, "D") + np.timedelta64(1, "D")])
    begun = int(sessions.ordinals_on_or_after(after)[0]) - 1
    last = min(begun + n - 1, sessions.last_ordinal)
    return sessions.session(max(last, sessions.first_ordinal))


def _adjust(asked: Parameters) -> Adjust:
    return "splits" if asked.flag("adjusted", default=True) else "none"


def _daily(source: BarSource, symbol: str, asked: Parameters, date: dt.date | None = None) -> pa.Table:
    question = Question(
        symbols=[symbol], interval=1, start=date, end=date, adjust=_adjust(asked), include_open=True
    )
    return read_bars_from(source, question)


def _carried_on(source: BarSource, date: dt.date) -> dict[int, str]:
    return {
        instrument: symbol
        for instrument, symbol, first, last in source.symbol_spans()
        if (first or dt.date.min) <= date <= (last or dt.date.max)
    }


def _close_of(sessions: Sessions, date: dt.date) -> dt.datetime:
    at = int(np.searchsorted(sessions.date, np.datetime64(date)))
    closes_at: dt.datetime = sessions.closes_at[at].item()
    return closes_at.replace(tzinfo=dt.UTC)


def _check_loaded(coverage: Coverage, ordinal: int, date: dt.date) -> None:
    """Refuse a session that no provider has loaded in full, in words that tell clients when to ask again."""
    at = ordinal - coverage.first_ordinal
    if 0 <= at < len(coverage.complete) and coverage.complete[at]:
        return
    if ordinal > coverage.loaded_through.max(initial=NOTHING_LOADED):
        raise NotCovered(f"{date} is not loaded here yet: a session is not served before end of day")
    raise NotCovered(f"this server's data do not include the timeframe of {date}: it is not loaded in full")
