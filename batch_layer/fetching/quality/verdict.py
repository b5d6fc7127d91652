"""The codes under which rows are refused, and the verdict on a set of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import Bools, Int32s

RULES: Mapping[str, str] = {
    "malformed": "a value cannot be read as what its column holds",
    "missing_value": "a required value is absent",
    "foreign_currency": "a price or an amount is in another currency or unit than US dollars",
    "not_traded": "the row is of a session after the last trade of its symbol",
    "in_doubt": "the prices are on another basis than the splits listed, or than the stored bars, say",
    "bad_symbol": "the symbol is not 1 to 32 printable ASCII characters without white space",
    "not_finite": "a price, a volume, a ratio or an amount is not a finite number",
    "beyond_bounds": "a number is larger than any market's: sums and products of such would be no numbers",
    "price_not_positive": "a price is zero or below",
    "ratio_not_positive": "one side of a split's ratio is zero or below",
    "amount_not_positive": "a dividend's amount is zero or below",
    "bad_rename": "a symbol is renamed to itself, in a circle, or to one that another takes that day",
    "high_below_low": "the high is below the low",
    "open_outside_range": "the open is not between the low and the high",
    "close_outside_range": "the close is not between the low and the high",
    "negative_volume": "the volume is below zero",
    "vwap_not_positive": "the vwap is zero, below, or infinite",
    "negative_trades": "the number of trades is below zero",
    "before_calendar": "the date lies before the first session of the calendar",
    "after_calendar": "an ex-date lies after the last session of the calendar",
    "not_a_session": "the exchange held no session on that date",
    "future_session": "the session has not closed yet",
    "outside_payload": "the session is not among those that were asked for",
    "conflicting_duplicate": "another row gives other values for the same symbol and date",
    "no_instrument": "nobody is known to have the symbol as it is meant, so the row waits",
    "unknown_symbol": "a rename of a symbol that nobody carried before its date",
    "taken_back": "an import took this split or dividend back, or corrected it before its symbol had bars",
}
"""Every code and its meaning. A row is refused under the first rule of this order that it breaks."""

PASSED = "passed"

CODES: tuple[str, ...] = (PASSED, *RULES)
"""``Verdict.code`` counts in this tuple: 0 is a row that no rule refuses."""

NUMBER_OF = {code: number for number, code in enumerate(CODES)}
"""The position of each code in ``CODES``."""

MAX_REFUSED_ROWS = 500_000
"""Refused rows of one payload: of one with more, none is taken."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What is to become of each row.

    Attributes:
        passed: bool, the rows to load: no rule refuses them, and a row that is there several times is
            passed once, where it stands first.
        code: int8, position in ``CODES`` of the rule that refuses the row; 0 where none does (a further
            copy of a passed row has 0 and is not passed).
        reasons: for each refused row, by position: symbol, date, and the bound crossed.
        duplicates: how many further copies there are.
        ordinal: int32, of the session; for splits and dividends of the first session on or after the
            ex-date. NO_ORDINAL where there is none; nothing to rely on where the row is refused.
    """

    passed: Bools
    code: npt.NDArray[np.int8]
    reasons: Mapping[int, str]
    duplicates: int
    ordinal: Int32s

    def refused(self) -> dict[str, int]:
        """Return how many rows each code refused, in the order of the rules, codes without any left out."""
        count = np.bincount(self.code, minlength=len(CODES)).tolist()
        return {code: number for code, number in zip(CODES, count, strict=True) if number and code != PASSED}

    def refusing(self, rows: Bools, code: str, reasons: Mapping[int, str]) -> Verdict:
        """Return the verdict with further rows refused, which had passed.

        Args:
            rows: bool, one per row.
            code: a key of RULES.
            reasons: for each of those rows, by position.
        """
        return replace(
            self,
            passed=self.passed & ~rows,
            code=np.where(rows, np.int8(NUMBER_OF[code]), self.code).astype(np.int8),
            reasons={**self.reasons, **reasons},
        )


def too_many_refused(count: int, rows: int, code: str) -> InputError:
    """Return the error of a payload of which too many rows break a rule, the last of them ``code``."""
    return InputError(
        f"{count:,} of {rows:,} rows break a rule, the last of them {code!r}, where at most "
        f"{MAX_REFUSED_ROWS:,} are kept as refused; mend or divide the file"
    )
