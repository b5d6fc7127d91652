"""The rules of quality: their codes, their order, and the verdict on a set of rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import Bools, Floats, Int32s, Int64s, run_starts
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL, Dates, Sessions

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
_FAULT_CODES = (
    ("malformed", ""),
    ("foreign_currency", "currency: "),
    ("not_traded", "not traded: "),
    ("in_doubt", "in doubt: "),
)
"""The codes of faults, by how their texts begin, the gravest first; ``<column>: missing`` is none of them."""

LARGEST = 1e15
"""A price, a volume or an amount above it is refused. Volumes up to it are whole in a float64."""

MOST_TRADES = 1_000_000_000_000
"""More trades of a session are refused: 32,767 sessions (the longest bar) of them fit an int64."""

LARGEST_RATIO = 1e6
"""A split of more new shares per old one, or old ones per new one, is refused."""

MAX_REFUSED_ROWS = 500_000
"""Refused rows of one payload: of one with more, none is taken."""

_LONGEST = 32
_SYMBOL = re.compile(f"[!-~]{{1,{_LONGEST}}}")
_PRINTABLE = re.compile("[!-~]*")
_MISSING = ": missing"  # how parsers report an absent required value: "<column>: missing"
_SHOWN_LENGTH = 40


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


class Refusals:
    """Gathers, rule after rule, which rows are refused. Call the rules in the order of ``RULES``."""

    def __init__(self, symbol: npt.NDArray[np.object_], date: Dates) -> None:
        self.code = np.zeros(len(symbol), dtype=np.int8)
        self.reasons: dict[int, str] = {}
        self._symbol = symbol
        self._date = date

    def refuse(self, code: str, broken: Bools, reason: Callable[[int], str]) -> None:
        """Refuse the rows of the mask that no earlier rule has refused.

        Args:
            code: a key of RULES.
            broken: bool, a row.
            reason: says for a row what is wrong; called for the rows refused only.

        Raises:
            InputError: more than MAX_REFUSED_ROWS rows are refused.
        """
        if not broken.any():
            return
        rows = np.flatnonzero(broken & (self.code == 0))
        if len(self.reasons) + len(rows) > MAX_REFUSED_ROWS:
            raise too_many_refused(len(self.reasons) + len(rows), len(self.code), code)
        self.code[rows] = NUMBER_OF[code]
        for row in rows.tolist():
            self.reasons[row] = f"{self._named(row)}: {reason(row)}"

    def refuse_faults(self, faults: Mapping[int, str]) -> None:
        """Refuse the rows that could not be read, each under the gravest code of its faults."""
        masks = {code: np.zeros(len(self.code), dtype=np.bool_) for code in RULES}
        for row, fault in faults.items():
            masks[_code_of(fault)][row] = True
        for code, mask in masks.items():
            self.refuse(code, mask, faults.__getitem__)

    def refuse_names(self, date_name: str) -> None:
        """Refuse rows without a date or with a symbol that can be none."""
        self.refuse("missing_value", np.isnat(self._date), lambda _: f"{date_name}: missing")
        self.refuse_symbols()

    def refuse_symbols(self) -> None:
        """Refuse rows with a symbol that can be none."""
        # Most rows have the symbol of the row before.
        symbols = self._symbol[run_starts(self._symbol)].tolist()
        lengths = set(map(len, symbols))
        # All symbols in one look, which is ten times as quick as one after the other.
        if (
            lengths
            and min(lengths) > 0
            and max(lengths) <= _LONGEST
            and _PRINTABLE.fullmatch("".join(symbols))
        ):
            return
        bad = np.fromiter(
            (not _SYMBOL.fullmatch(symbol) for symbol in self._symbol.tolist()),
            dtype=np.bool_,
            count=len(self._symbol),
        )
        self.refuse("bad_symbol", bad, lambda row: _what_is_bad(self._symbol[row]))

    def refuse_outside(self, sessions: Sessions) -> None:
        """Refuse rows whose date lies outside the calendar."""
        first, last = sessions.date[0], sessions.date[-1]
        self.refuse(
            "before_calendar", self._date < first, lambda _: f"before the calendar's first session, {first}"
        )
        self.refuse(
            "after_calendar", self._date > last, lambda _: f"after the calendar's last session, {last}"
        )

    def verdict(self, ordinal: Int32s, *values: Floats | Int64s, hint: str = "") -> Verdict:
        """Close the case: compare the rows of one symbol and date that no rule has refused so far.

        Those with equal ``values`` are copies, of which the first passes; otherwise all are refused. A row
        that is bad by itself contradicts nobody. ``hint`` says what else several rows may have meant.
        """
        rows = np.flatnonzero(self.code == 0)
        if _is_once_each(self._symbol[rows], self._date[rows]):
            return Verdict(self.code == 0, self.code, self.reasons, 0, ordinal)
        order = rows[np.lexsort((self._date[rows], _numbered(self._symbol[rows])))]
        symbol, date = self._symbol[order], self._date[order]
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = (symbol[1:] != symbol[:-1]) | (date[1:] != date[:-1])
        duplicates = 0
        passed = self.code == 0
        if not is_first.all():
            group = np.cumsum(is_first) - 1
            first = order[is_first][group]  # lexsort is stable: of copies, the one that stands first
            differs = np.zeros(len(order), dtype=np.bool_)
            for column in values:
                differs |= ~_same(column[order], column[first])
            in_conflict = np.bincount(group, weights=differs)[group] > 0
            conflicting = np.zeros(len(passed), dtype=np.bool_)
            conflicting[order[in_conflict]] = True
            self.refuse(
                "conflicting_duplicate", conflicting, lambda _: f"given more than once, differently{hint}"
            )
            duplicates = int((~is_first & ~in_conflict).sum())
            passed[order[~is_first | in_conflict]] = False
        return Verdict(passed, self.code, self.reasons, duplicates, ordinal)

    def _named(self, row: int) -> str:
        symbol = self._symbol[row]
        shown = symbol if _SYMBOL.fullmatch(symbol) else repr(symbol[:_SHOWN_LENGTH])
        return shown if np.isnat(self._date[row]) else f"{shown} {self._date[row]}"


def too_many_refused(count: int, rows: int, code: str) -> InputError:
    """Return the error of a payload of which too many rows break a rule, the last of them ``code``."""
    return InputError(
        f"{count:,} of {rows:,} rows break a rule, the last of them {code!r}, where at most "
        f"{MAX_REFUSED_ROWS:,} are kept as refused; mend or divide the file"
    )


def _code_of(fault: str) -> str:
    """Return the code of a row's faults; ``missing_value`` if all are of values that are not there."""
    codes = set()
    for part in fault.split("; "):
        if not part.endswith(_MISSING):
            codes.add(next(code for code, start in reversed(_FAULT_CODES) if part.startswith(start)))
    return next((code for code, _ in _FAULT_CODES if code in codes), "missing_value")


def ordinals_or_none(ordinal: Int32s, date: Dates) -> Int32s:
    """Return the ordinals, NO_ORDINAL where there is no date."""
    return np.where(np.isnat(date), NO_ORDINAL, ordinal).astype(np.int32)


def _is_once_each(symbol: npt.NDArray[np.object_], date: Dates) -> bool:
    """Return whether no symbol and date is there twice, as far as one look tells: the rows lie by both."""
    starts = run_starts(symbol)
    if len(set(symbol[starts].tolist())) < len(starts):
        return False
    ascends = date[1:] > date[:-1]
    ascends[starts[1:] - 1] = True
    return bool(ascends.all())


def _numbered(symbol: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    """Number the distinct symbols: sorting numbers is far faster than sorting texts."""
    texts = symbol.tolist()
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return np.fromiter(map(numbers.__getitem__, texts), dtype=np.int64, count=len(texts))


def not_finite(name: str, values: Floats, row: int) -> str:
    """Say so of one row."""
    return f"{name} {values[row]} is not finite"


def beyond_bounds(name: str, values: Floats, row: int) -> str:
    """Say so of one row."""
    return f"{name} {values[row]} is above {LARGEST:.0e}"


def not_positive(name: str, values: Floats, row: int) -> str:
    """Say so of one row."""
    return f"{name} {values[row]} is not above 0"


def _same(left: Floats | Int64s, right: Floats | Int64s) -> Bools:
    """Compare, an unknown value (NaN) being the same as another."""
    equal: Bools = (left == right) | (np.isnan(left) & np.isnan(right))
    return equal


def symbol_fault(symbol: str) -> str | None:
    """Return why a text cannot be a symbol; None if it can."""
    return None if _SYMBOL.fullmatch(symbol) else _what_is_bad(symbol)


def _what_is_bad(symbol: str) -> str:
    if not symbol:
        return "symbol: empty"
    if len(symbol) > _LONGEST:
        return f"symbol of {len(symbol)} characters, longer than {_LONGEST}"
    if any(character.isspace() for character in symbol):
        return "symbol holds white space"
    return "symbol holds characters that are not printable ASCII"
