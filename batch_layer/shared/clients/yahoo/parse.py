"""Read a chart answer of Yahoo into rows as traded; pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.clients.yahoo.basis import (
    LARGEST_RATIO,
    Ratios,
    beyond_all_numbers,
    rounding,
    shares_since,
    shortest_decimals,
)
from condvest.batch_layer.shared.clients.yahoo.chart import QUOTES, Chart, date_at, read_chart
from condvest.batch_layer.shared.clients.yahoo.continuity import in_doubt
from condvest.batch_layer.shared.clients.yahoo.values import (
    Faults,
    as_given,
    dates,
    events_as_given,
    lines,
    members,
    number,
    numbers,
    repeated,
    shown,
)
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES
from condvest.batch_layer.shared.models.given.payload_rows import BarRows, DividendRows, SplitRows
from condvest.batch_layer.shared.models.given.payloads import ListedPeriod, Parsed, Payload
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

FINAL_AFTER = dt.timedelta(hours=1)
"""So long after the close a session's bar is final even if no trade at the close is told (Yahoo's quotes come
15 minutes late, and a rarely traded share has no trade at the close at all)."""

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
    chart = read_chart(payload.content[:], name=payload.name)
    if payload.dataset == "splits":
        return _splits(chart, payload)
    if payload.dataset not in ("chart", "daily_bars", "dividends"):
        raise InputError(f"{payload.name}: a chart answer holds no {payload.dataset}")
    ratios = _ratios(chart, payload)
    doubts = _doubts(chart, ratios, payload)
    if payload.dataset == "dividends":
        return _dividends(chart, ratios, doubts, payload)
    bars = _bars(chart, ratios, doubts, payload)
    if payload.dataset == "daily_bars":
        return bars
    return replace(bars, also=(_splits(chart, payload), _dividends(chart, ratios, doubts, payload)))


@beyond_all_numbers
def _bars(chart: Chart, ratios: Ratios, doubts: Mapping[int, str], payload: Payload) -> Parsed:
    wanted = ~_told_twice(chart)
    if payload.first_session:
        wanted &= chart.sessions >= np.datetime64(payload.first_session)
    if payload.last_session:
        wanted &= chart.sessions <= np.datetime64(payload.last_session)
    rows = np.flatnonzero(wanted)
    given = {name: [chart.quotes[name][row] for row in rows.tolist()] for name in QUOTES}
    faults = Faults()
    values = {name: numbers(column, name, faults) for name, column in given.items()}
    session = chart.sessions[rows]
    shares = shares_since(session, ratios)
    # The largest price's rounding for all four, so that none comes to lie above the high or below the low.
    within = rounding(np.fmax.reduce([values[name] for name in QUOTES[:4]]), shares)
    prices = {name: shortest_decimals(values[name] * shares, within) for name in QUOTES[:4]}
    _note_unfinished(chart, session, payload.fetched_at, faults)
    _note_stubs(chart, rows, faults)
    for position, row in enumerate(rows.tolist()):
        if chart.currency not in (None, CURRENCY):
            faults.add(position, f"currency: {shown(chart.currency)} is not {CURRENCY}")
        if row in doubts:
            faults.add(position, doubts[row])
    bars = BarRows(
        line=rows.astype(np.int64) + 1,
        symbol=repeated(chart.symbol, len(rows)),
        session=session,
        **prices,
        volume=np.round(values["volume"] / shares),
        vwap=np.full(len(rows), np.nan),
        trades=np.full(len(rows), UNKNOWN_TRADES, dtype=np.int64),
    )
    stamps = [chart.stamps[row] for row in rows.tolist()]
    source = as_given(chart.symbol, {"timestamp": stamps, **given})
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
    chart: Chart, session: npt.NDArray[np.datetime64], fetched_at: dt.datetime, faults: Faults
) -> None:
    """Fault the bar of the newest session where nothing shows that the session was over."""
    ends, quoted = chart.session_ends, chart.quoted_at
    if ends is None or (quoted is not None and quoted >= ends) or fetched_at >= ends + FINAL_AFTER:
        return
    last = "at an unknown instant" if quoted is None else f"at {_clock(quoted)}"
    for row in np.flatnonzero(session >= np.datetime64(ends.astimezone(EXCHANGE_ZONE).date())).tolist():
        faults.add(row, f"session: not final: priced {last}, before its end at {_clock(ends)} in New York")


def _note_stubs(chart: Chart, rows: npt.NDArray[np.int64], faults: Faults) -> None:
    """Fault those of the chosen rows that are of sessions after the last trade."""
    if chart.quoted_at is None:
        return
    traded = chart.quoted_at.astimezone(EXCHANGE_ZONE).date()
    for position in np.flatnonzero(_after_last_trade(chart)[rows]).tolist():
        faults.add(position, f"not traded: Yahoo's last trade of {chart.symbol} was on {traded}")


def _after_last_trade(chart: Chart) -> npt.NDArray[np.bool_]:
    """Return which rows of the chart are of sessions after the last trade, as far as it is told."""
    if chart.quoted_at is None:
        return np.zeros(len(chart.sessions), dtype=bool)
    return chart.sessions > np.datetime64(chart.quoted_at.astimezone(EXCHANGE_ZONE).date())


def _doubts(chart: Chart, ratios: Ratios, payload: Payload) -> dict[int, str]:
    """Return the rows of the chart whose split basis is in doubt."""
    silent = Faults()
    opened, closed = (numbers(chart.quotes[name], name, silent) for name in ("open", "close"))
    closed[_after_last_trade(chart)] = np.nan  # the price of the last trade, on whatever basis
    return in_doubt(chart.sessions, opened, closed, ratios, _today(payload))


def _clock(instant: dt.datetime) -> str:
    return f"{instant.astimezone(EXCHANGE_ZONE):%H:%M}"


def _splits(chart: Chart, payload: Payload) -> Parsed:
    faults = Faults()
    rows = SplitRows(
        line=lines(chart.splits),
        symbol=repeated(chart.symbol, len(chart.splits)),
        ex_date=dates(chart.splits),
        split_from=numbers(members(chart.splits, "denominator"), "denominator", faults),
        split_to=numbers(members(chart.splits, "numerator"), "numerator", faults),
    )
    source = events_as_given(chart.symbol, chart.splits, "numerator", "denominator")
    return Parsed(rows, faults.by_row, source, "today", _listed(chart, payload))


@beyond_all_numbers
def _dividends(chart: Chart, ratios: Ratios, doubts: Mapping[int, str], payload: Payload) -> Parsed:
    faults = Faults()
    ex_date = dates(chart.dividends)
    amounts = numbers(members(chart.dividends, "amount"), "amount", faults)
    shares = shares_since(ex_date, ratios)
    for row, event in enumerate(chart.dividends):
        currency = event.get("currency", chart.currency)
        if currency not in (None, CURRENCY):
            faults.add(row, f"currency: {shown(currency)} is not {CURRENCY}")
    if doubts:
        last = max(chart.sessions[list(doubts)])
        for row in np.flatnonzero(ex_date <= last).tolist():
            faults.add(row, next(iter(doubts.values())))
    rows = DividendRows(
        line=lines(chart.dividends),
        symbol=repeated(chart.symbol, len(chart.dividends)),
        ex_date=ex_date,
        cash_amount=shortest_decimals(amounts * shares, rounding(amounts, shares)),
    )
    source = events_as_given(chart.symbol, chart.dividends, "amount")
    return Parsed(rows, faults.by_row, source, "today", _listed(chart, payload))


def _listed(chart: Chart, payload: Payload) -> ListedPeriod | None:
    """Return the period of which the chart has all events: from its first row through its own day."""
    if not chart.stamps:
        return None
    return ListedPeriod(chart.symbol, chart.sessions.min().item(), _today(payload))


def _today(payload: Payload) -> dt.date:
    """Return the date in New York when a payload was fetched."""
    return payload.fetched_at.astimezone(EXCHANGE_ZONE).date()


def _ratios(chart: Chart, payload: Payload) -> dict[np.datetime64, float]:
    """Return the splits that are in the answer's prices; one told twice on a date counts once."""
    today = _today(payload)
    ratios: dict[np.datetime64, float] = {}
    for split in chart.splits:
        ex_date = date_at(split["date"])
        if ex_date > today:
            continue
        new, old = number(split.get("numerator")), number(split.get("denominator"))
        if not new or not old or not 1 / LARGEST_RATIO <= new / old <= LARGEST_RATIO:
            raise InputError(
                f"{payload.name}: expected the split of {ex_date} as two numbers, got {split}; without it no "
                "price before it can be brought back to as traded"
            )
        if ratios.setdefault(np.datetime64(ex_date), new / old) != new / old:
            raise InputError(
                f"{payload.name}: two splits of {ex_date} disagree, so that no price before it can be "
                "brought back to as traded"
            )
    return ratios
