"""Splits and dividends, as columns."""

from __future__ import annotations

from dataclasses import dataclass

from condvest.batch_layer.shared.models.bars import Columns, Floats, Int32s
from condvest.batch_layer.shared.models.sessions import Dates, Sessions


@dataclass(frozen=True, eq=False)
class Splits(Columns):
    """Splits of instruments. On the ex-date ``split_from`` old shares become ``split_to`` new ones.

    A 2-for-1 split has ``split_from`` 1 and ``split_to`` 2; a 1-for-10 reverse split 10 and 1.

    Attributes:
        instrument_id: int32.
        ex_ordinal: int32, ordinal of the first session on or after the ex-date.
        split_from, split_to: float64, above 0.
    """

    instrument_id: Int32s
    ex_ordinal: Int32s
    split_from: Floats
    split_to: Floats


@dataclass(frozen=True, eq=False)
class Events(Columns):
    """Corporate actions as they are stored, one row per instrument and ex-date.

    Attributes:
        instrument_id: int32.
        ex_date: datetime64[D]; need not be a session.
    """

    instrument_id: Int32s
    ex_date: Dates


@dataclass(frozen=True, eq=False)
class SplitEvents(Events):
    """Splits as they are stored; see `Splits` for the ratio.

    Attributes:
        split_from, split_to: float64, above 0.
    """

    split_from: Floats
    split_to: Floats

    def on(self, sessions: Sessions) -> Splits:
        """Return the splits with their ex-dates as ordinals: the first session on or after each."""
        return Splits(
            self.instrument_id, sessions.ordinals_on_or_after(self.ex_date), self.split_from, self.split_to
        )


@dataclass(frozen=True, eq=False)
class DividendEvents(Events):
    """Cash dividends as they are stored.

    Attributes:
        cash_amount: float64, quote currency per share as traded on the ex-date, above 0.
    """

    cash_amount: Floats
