"""What an export reads: the daily bars of each instrument as traded, with its splits and dividends by bar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.core.adjustment import split_factors
from condvest.batch_layer.shared.models.bars import DailyBars, Floats, Int32s, Positions, run_starts
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, Splits
from condvest.batch_layer.shared.models.coverage import Coverage
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.sources import BarSource

_AT_ONCE = 200
"""Instruments whose daily bars are in memory at a time."""

Dates = npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Stock:
    """The complete daily bars of one instrument.

    Attributes:
        instrument_id: permanent id.
        symbol: that it carries now, or carried last; a label where that passed to another (``X#12``).
        daily: as traded, ascending by ordinal, at least one; unknown values are NaN.
        date: datetime64[D] per row, the session.
        price_factor, volume_factor: float64 per row: bring the row to the split basis of the last session
            loaded.
        split: float64 per row: new shares for an old one between the row before and this one; 1.0 where
            nothing was split. A split without a bar on its ex-date stands on the next row.
        dividend: float64 per row: cash per share, on the basis of this row, that a holder of the row before
            has a right to; 0.0 where nothing was paid. One without a bar on its ex-date stands on the next.
        is_gone: whether no bar came in the last sessions loaded: it was delisted, as far as that shows.
    """

    instrument_id: int
    symbol: str
    daily: DailyBars
    date: Dates
    price_factor: Floats
    volume_factor: Floats
    split: Floats
    dividend: Floats
    is_gone: bool


GONE_AFTER = 10
"""Sessions without a bar, up to the last one loaded, after which an instrument counts as delisted."""


@dataclass(frozen=True, eq=False)
class Selection:
    """The instruments of an export, and the ordinals between which their bars are wanted.

    Attributes:
        names: instrument to symbol or label.
        ids: int32, ascending by symbol.
        first, last: ordinals, inclusive.
    """

    names: dict[int, str]
    ids: Int32s
    first: int
    last: int


def select_stocks(
    source: BarSource, symbols: Sequence[str] | None, start: dt.date | None, end: dt.date | None
) -> Selection:
    """Choose what to export.

    Args:
        source: one state of the data.
        symbols: symbols or labels; all instruments with bars if None.
        start: first session, inclusive.
        end: last session, inclusive.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    names, ids = select(source, symbols, unique=True)
    sessions = source.sessions
    first, last = sessions.first_ordinal, sessions.last_ordinal
    if start is not None:
        first = int(sessions.ordinals_on_or_after(np.array([start], "datetime64[D]"))[0])
    if end is not None:
        after = np.array([np.datetime64(end, "D") + np.timedelta64(1, "D")])
        last = int(sessions.ordinals_on_or_after(after)[0]) - 1
    by_symbol = sorted(ids.tolist(), key=lambda each: names[each])
    return Selection(dict(names), np.array(by_symbol, dtype=np.int32), first, last)


def read_stocks(source: BarSource, selection: Selection) -> Iterator[Stock]:
    """Yield the instruments that have complete daily bars within the bounds, by symbol."""
    for begin in range(0, len(selection.ids), _AT_ONCE):
        chosen = selection.ids[begin : begin + _AT_ONCE]
        ids = np.sort(chosen)
        coverage = source.coverage(ids)
        daily = source.daily(Spans.within(ids, selection.first, selection.last))
        daily = daily.take(coverage.is_complete(daily.instrument_id, daily.ordinal, daily.ordinal))
        if not len(daily):
            continue
        actions = _Actions(source.sessions, coverage, source.splits(ids).on(source.sessions), daily)
        dividends = source.dividends(ids)
        starts = run_starts(daily.instrument_id)
        bounds = dict(
            zip(
                daily.instrument_id[starts].tolist(),
                zip(starts, [*starts[1:], len(daily)], strict=True),
                strict=True,
            )
        )
        split, dividend = actions.split_by_row(), actions.dividend_by_row(dividends)
        factors = actions.factors()
        for instrument in chosen.tolist():
            if instrument not in bounds:
                continue
            rows = slice(*bounds[instrument])
            own = daily.take(rows)
            yield Stock(
                instrument_id=instrument,
                symbol=selection.names[instrument],
                daily=own,
                date=source.sessions.dates_of(own.ordinal),
                price_factor=factors[0][rows],
                volume_factor=factors[1][rows],
                split=split[rows],
                dividend=dividend[rows],
                is_gone=actions.is_gone(own),
            )


@dataclass(frozen=True, eq=False)
class _Actions:
    """Splits and dividends, put onto the rows of daily bars of several instruments."""

    sessions: Sessions
    coverage: Coverage
    splits: Splits
    daily: DailyBars

    def factors(self) -> tuple[Floats, Floats]:
        """Return the factors of prices and volumes per row."""
        loaded = self.coverage.last_loaded(self.daily.instrument_id)
        return split_factors(self.daily.instrument_id, self.daily.ordinal, loaded, self.splits)

    def split_by_row(self) -> Floats:
        """Return the ratio of new to old shares per row; see `Stock`."""
        ratio = np.ones(len(self.daily))
        row, counts = self._rows(self.splits.instrument_id, self.splits.ex_ordinal)
        order = np.flatnonzero(counts)
        np.multiply.at(ratio, row[order], (self.splits.split_to / self.splits.split_from)[order])
        return ratio

    def dividend_by_row(self, dividends: DividendEvents) -> Floats:
        """Return the cash per row; see `Stock`."""
        cash = np.zeros(len(self.daily))
        ex_ordinal = self.sessions.ordinals_on_or_after(dividends.ex_date)
        row, counts = self._rows(dividends.instrument_id, ex_ordinal)
        row, ids = row[counts], dividends.instrument_id[counts]
        # As core.total_return has it: brought to the basis of the bar that takes the place of the ex-date's.
        to_basis, _ = split_factors(ids, ex_ordinal[counts], self.daily.ordinal[row], self.splits)
        np.add.at(cash, row, dividends.cash_amount[counts] * to_basis)
        return cash

    def is_gone(self, own: DailyBars) -> bool:
        """Return whether one instrument's bars end well before what is loaded."""
        loaded = int(self.coverage.last_loaded(own.instrument_id[-1:])[0])
        return loaded - int(own.ordinal[-1]) >= GONE_AFTER

    def _rows(self, instrument_id: Int32s, ex_ordinal: Int32s) -> tuple[Positions, npt.NDArray[np.bool_]]:
        """Return, per action, the first row on or after its ex-date, and whether its own row precedes."""
        key = pack(self.daily.instrument_id, self.daily.ordinal)
        row = np.searchsorted(key, pack(instrument_id, ex_ordinal))
        counts = (row > 0) & (row < len(key))
        own = row[counts]
        counts[counts] = (self.daily.instrument_id[own] == instrument_id[counts]) & (
            self.daily.instrument_id[own - 1] == instrument_id[counts]
        )
        return row, counts
