"""Judge splits and dividends.

Their ex-dates may lie ahead, for they are announced, and on a date without a session; but not outside
the calendar, where they would take the ordinal of another session.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from batch_layer.fetching.quality.rules import Refusals, Verdict, not_finite, not_positive, ordinals_or_none
from batch_layer.shared.models.bars import Floats
from batch_layer.shared.models.payloads import DividendRows, SplitRows
from batch_layer.shared.models.sessions import Sessions


def judge_splits(rows: SplitRows, faults: Mapping[int, str], sessions: Sessions) -> Verdict:
    """Decide which splits may be loaded; 2-for-1 and 4-for-2 on one date are the same split."""
    columns = {"split_from": rows.split_from, "split_to": rows.split_to}
    refusals = _refusals(rows, faults, columns, "ratio_not_positive")
    with np.errstate(divide="ignore", invalid="ignore"):  # such rows are refused, and not compared
        ratio = rows.split_to / rows.split_from
    return _verdict(rows, refusals, sessions, ratio, "; if both took effect, give one row with the product")


def judge_dividends(rows: DividendRows, faults: Mapping[int, str], sessions: Sessions) -> Verdict:
    """Decide which cash dividends may be loaded; one amount a symbol and ex-date, the sum of all paid."""
    refusals = _refusals(rows, faults, {"cash_amount": rows.cash_amount}, "amount_not_positive")
    return _verdict(rows, refusals, sessions, rows.cash_amount, "; if both were paid, give one with the sum")


def _refusals(
    rows: SplitRows | DividendRows, faults: Mapping[int, str], columns: Mapping[str, Floats], code: str
) -> Refusals:
    refusals = Refusals(rows.symbol, rows.ex_date)
    refusals.refuse_faults(faults)
    refusals.refuse_names("ex_date")
    for name, values in columns.items():
        refusals.refuse("not_finite", ~np.isfinite(values), partial(not_finite, name, values))
    for name, values in columns.items():
        refusals.refuse(code, values <= 0, partial(not_positive, name, values))
    return refusals


def _verdict(
    rows: SplitRows | DividendRows, refusals: Refusals, sessions: Sessions, values: Floats, hint: str
) -> Verdict:
    first, last = sessions.date[0], sessions.date[-1]
    refusals.refuse(
        "before_calendar", rows.ex_date < first, lambda _: f"before the calendar's first session, {first}"
    )
    refusals.refuse(
        "after_calendar", rows.ex_date > last, lambda _: f"after the calendar's last session, {last}"
    )
    ordinal = ordinals_or_none(sessions.ordinals_on_or_after(rows.ex_date), rows.ex_date)
    return refusals.verdict(ordinal, values, hint=hint)
