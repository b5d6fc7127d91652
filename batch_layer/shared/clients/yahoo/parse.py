"""Read a chart answer of Yahoo into rows as traded; pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from batch_layer.shared.clients.yahoo.basis import Ratios, rounding, shares_since, shortest_decimals
from batch_layer.shared.clients.yahoo.chart import QUOTES, Chart, date_at, read_chart
from batch_layer.shared.clients.yahoo.continuity import in_doubt
from batch_layer.shared.errors import InputError
from batch_layer.shared.models.bars import UNKNOWN_TRADES, Floats, Int64s
from batch_layer.shared.models.given_rows import GivenRows
from batch_layer.shared.models.payloads import (
    BarRows,
    DividendRows,
    ListedPeriod,
    Parsed,
    Payload,
    SplitRows,
)
from batch_layer.shared.models.sessions import EXCHANGE_ZONE

FINAL_AFTER = dt.timedelta(hours=1)
"""So long after the close a session's bar is final even if no trade at the close is told (Yahoo's quotes come
15 minutes late, and a rarely traded share has no trade at the close at all)."""

_SHOWN_LENGTH = 40


CURRENCY = "USD"
"""What prices and dividends are in. An amount in another currency, or in cents, cannot be set beside them."""


def parse(payload: Payload) -> Parsed:
    """Return what a chart answer holds, each value as traded on its date.

    A payload of ``chart`` gives the daily bars, with the splits and the dividends in `Parsed.also`. Charts
    archived before there was such a payload are payloads of ``daily_bars``, ``splits`` or ``dividends``, and
    give that table alone.

    Daily bars are those from ``payload.first_session`` through ``last_session`` (inclusive, None for open):
    the answer holds more, since every split through the instant of the answer is needed. Sessions are the
    exchange's dates. Prices and dividends are brought back to as traded by ``basis.py``, volumes to whole
    shares. ``line`` counts the rows of the answer from 1. Symbols are those of the day of the answer.

    These are faults of their rows: a null value; the bar of a session that was not over when the answer was
    given; a row of a session after the last trade, which is a stub that Yahoo keeps under a former symbol; an
    amount in another currency; a price or dividend whose split basis is in doubt (``continuity.py``).

    Raises:
        InputError: the bytes are no chart answer, or hold a split that cannot be read, so that no price of
            before can be either.
    """
    chart = read_chart(payload.content, name=payload.name)
    if payload.dataset == "splits":
        return _splits(chart, payload)
    if payload.dataset not in ("chart", "daily_bars", "dividends"):
        raise InputError(f"{payload.name}: a chart answer holds no {payload.dataset}")
    ratios = _ratios(chart, payload)
    doubts = _doubts(chart, ratios)
    if payload.dataset == "dividends":
        return _dividends(chart, ratios, doubts, payload)
    bars = _bars(chart, ratios, doubts, payload)
    if payload.dataset == "daily_bars":
        return bars
    return replace(bars, also=(_splits(chart, payload), _dividends(chart, ratios, doubts, payload)))


def _bars(chart: Chart, ratios: Ratios, doubts: Mapping[int, str], payload: Payload) -> Parsed:
    wanted = ~_told_twice(chart)
    if payload.first_session:
        wanted &= chart.sessions >= np.datetime64(payload.first_session)
    if payload.last_session:
        wanted &= chart.sessions <= np.datetime64(payload.last_session)
    rows = np.flatnonzero(wanted)
    given = {name: [chart.quotes[name][row] for row in rows.tolist()] for name in QUOTES}
    faults = _Faults()
    values = {name: _numbers(column, name, faults) for name, column in given.items()}
    session = chart.sessions[rows]
    shares = shares_since(session, ratios)
    # The largest price's rounding for all four, so that none comes to lie above the high or below the low.
    within = rounding(np.fmax.reduce([values[name] for name in QUOTES[:4]]), shares)
    prices = {name: shortest_decimals(values[name] * shares, within) for name in QUOTES[:4]}
    _note_unfinished(chart, session, payload.fetched_at, faults)
    _note_stubs(chart, session, faults)
    for position, row in enumerate(rows.tolist()):
        if chart.currency not in (None, CURRENCY):
            faults.add(position, f"currency: {_shown(chart.currency)} is not {CURRENCY}")
        if row in doubts:
            faults.add(position, doubts[row])
    bars = BarRows(
        line=rows.astype(np.int64) + 1,
        symbol=_repeated(chart.symbol, len(rows)),
        session=session,
        **prices,
        volume=np.round(values["volume"] / shares),
        vwap=np.full(len(rows), np.nan),
        trades=np.full(len(rows), UNKNOWN_TRADES, dtype=np.int64),
    )
    stamps = [chart.stamps[row] for row in rows.tolist()]
    source = _source(chart.symbol, {"timestamp": stamps, **given})
    return Parsed(bars, faults.by_row, source, symbols_mean="today")


def _told_twice(chart: Chart) -> npt.NDArray[np.bool_]:
    """Return which rows repeat the newest session before its last trade.

    After the close Yahoo gives that session twice for a while: stamped with its open, and with the instant of
    its last trade. The later row is final. yfinance does the same (``fix_Yahoo_returning_live_separate``).
    """
    repeated = np.zeros(len(chart.stamps), dtype=bool)
    if chart.quoted_at is None or not len(repeated):
        return repeated
    stamps = np.array(chart.stamps, dtype=np.int64)
    last_trade = int(chart.quoted_at.timestamp())
    if last_trade == stamps.max():
        repeated = (chart.sessions == chart.sessions[stamps.argmax()]) & (stamps < last_trade)
    return repeated


def _note_unfinished(
    chart: Chart, session: npt.NDArray[np.datetime64], fetched_at: dt.datetime, faults: _Faults
) -> None:
    """Fault the bar of the newest session where nothing shows that the session was over."""
    ends, quoted = chart.session_ends, chart.quoted_at
    if ends is None or (quoted is not None and quoted >= ends) or fetched_at >= ends + FINAL_AFTER:
        return
    last = "at an unknown instant" if quoted is None else f"at {_clock(quoted)}"
    for row in np.flatnonzero(session >= np.datetime64(ends.astimezone(EXCHANGE_ZONE).date())).tolist():
        faults.add(row, f"session: not final: priced {last}, before its end at {_clock(ends)} in New York")


def _note_stubs(chart: Chart, session: npt.NDArray[np.datetime64], faults: _Faults) -> None:
    """Fault the rows of sessions after the last trade."""
    if chart.quoted_at is None:
        return
    traded = chart.quoted_at.astimezone(EXCHANGE_ZONE).date()
    for row in np.flatnonzero(session > np.datetime64(traded)).tolist():
        faults.add(row, f"not traded: Yahoo's last trade of {chart.symbol} was on {traded}")


def _doubts(chart: Chart, ratios: Ratios) -> dict[int, str]:
    """Return the rows of the chart whose split basis is in doubt."""
    silent = _Faults()
    opened, closed = (_numbers(chart.quotes[name], name, silent) for name in ("open", "close"))
    return in_doubt(chart.sessions, opened, closed, ratios)


def _clock(instant: dt.datetime) -> str:
    return f"{instant.astimezone(EXCHANGE_ZONE):%H:%M}"


def _splits(chart: Chart, payload: Payload) -> Parsed:
    faults = _Faults()
    rows = SplitRows(
        line=_lines(chart.splits),
        symbol=_repeated(chart.symbol, len(chart.splits)),
        ex_date=_dates(chart.splits),
        split_from=_numbers(_members(chart.splits, "denominator"), "denominator", faults),
        split_to=_numbers(_members(chart.splits, "numerator"), "numerator", faults),
    )
    source = _event_source(chart.symbol, chart.splits, "numerator", "denominator")
    return Parsed(rows, faults.by_row, source, "today", _listed(chart, payload))


def _dividends(chart: Chart, ratios: Ratios, doubts: Mapping[int, str], payload: Payload) -> Parsed:
    faults = _Faults()
    ex_date = _dates(chart.dividends)
    amounts = _numbers(_members(chart.dividends, "amount"), "amount", faults)
    shares = shares_since(ex_date, ratios)
    for row, event in enumerate(chart.dividends):
        currency = event.get("currency", chart.currency)
        if currency not in (None, CURRENCY):
            faults.add(row, f"currency: {_shown(currency)} is not {CURRENCY}")
    if doubts:
        last = max(chart.sessions[list(doubts)])
        for row in np.flatnonzero(ex_date <= last).tolist():
            faults.add(row, next(iter(doubts.values())))
    rows = DividendRows(
        line=_lines(chart.dividends),
        symbol=_repeated(chart.symbol, len(chart.dividends)),
        ex_date=ex_date,
        cash_amount=shortest_decimals(amounts * shares, rounding(amounts, shares)),
    )
    source = _event_source(chart.symbol, chart.dividends, "amount")
    return Parsed(rows, faults.by_row, source, "today", _listed(chart, payload))


def _listed(chart: Chart, payload: Payload) -> ListedPeriod | None:
    """Return the period of which the chart has all events: from its first row through its own day."""
    if not chart.stamps:
        return None
    first: dt.date = chart.sessions.min().item()
    return ListedPeriod(chart.symbol, first, payload.fetched_at.astimezone(EXCHANGE_ZONE).date())


def _ratios(chart: Chart, payload: Payload) -> dict[np.datetime64, float]:
    """Return the splits that are in the answer's prices; one told twice on a date counts once."""
    today = payload.fetched_at.astimezone(EXCHANGE_ZONE).date()
    ratios: dict[np.datetime64, float] = {}
    for split in chart.splits:
        ex_date = date_at(split["date"])
        if ex_date > today:
            continue
        new, old = _number(split.get("numerator")), _number(split.get("denominator"))
        if new is None or old is None or not (0 < new < math.inf and 0 < old < math.inf):
            raise InputError(
                f"{payload.name}: the split of {ex_date} cannot be read ({split}), and without it no price "
                "before it can be brought back to as traded"
            )
        if ratios.setdefault(np.datetime64(ex_date), new / old) != new / old:
            raise InputError(
                f"{payload.name}: two splits of {ex_date} disagree, so that no price before it can be "
                "brought back to as traded"
            )
    return ratios


class _Faults:
    """Collects what is wrong with rows."""

    def __init__(self) -> None:
        self.by_row: dict[int, str] = {}

    def add(self, row: int, what: str) -> None:
        self.by_row[row] = f"{self.by_row[row]}; {what}" if row in self.by_row else what


def _numbers(values: Sequence[Any], name: str, faults: _Faults) -> Floats:
    """Return JSON values as float64, NaN where null or no number, which is a fault."""
    read = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        number = _number(value)
        if number is not None:
            read[row] = number
        elif value is None:
            faults.add(row, f"{name}: missing")
        else:
            faults.add(row, f"{name}: {_shown(value)} is not a number")
    return read


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _shown(value: object) -> str:
    return repr(str(value)[:_SHOWN_LENGTH])


def _dates(events: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.datetime64]:
    return np.array([date_at(event["date"]) for event in events], dtype="datetime64[D]")


def _members(events: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    return [event.get(name) for event in events]


def _lines(events: Sequence[Any]) -> Int64s:
    return np.arange(1, len(events) + 1, dtype=np.int64)


def _repeated(symbol: str, count: int) -> npt.NDArray[np.object_]:
    return np.full(count, symbol, dtype=object)


def _event_source(symbol: str, events: Sequence[Mapping[str, Any]], *names: str) -> GivenRows:
    return _source(symbol, {name: _members(events, name) for name in ("date", *names)})


def _source(symbol: str, columns: Mapping[str, Sequence[Any]]) -> GivenRows:
    """Return values as they came, under their names at Yahoo."""
    count = len(next(iter(columns.values())))
    return GivenRows({"symbol": [symbol] * count, **columns}, count)
