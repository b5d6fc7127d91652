"""A short calendar to judge rows by, and the codes of a verdict."""

from __future__ import annotations

import datetime as dt

import numpy as np

from condvest.batch_layer.fetching.quality import (
    CODES,
)
from condvest.batch_layer.shared.models.sessions import Sessions

# Two weeks with 2024-01-01 (a holiday) and 2024-01-15 left out on both ends: 02..05 and 08..12 January.
DATES = [dt.date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9, 10, 11, 12)]


FIRST_ORDINAL = 100


LAST_CLOSED = 106  # 2024-01-10


SESSIONS = Sessions(
    first_ordinal=FIRST_ORDINAL,
    date=np.array(DATES, dtype="datetime64[D]"),
    opens_at=np.array(DATES, dtype="datetime64[s]"),
    closes_at=np.array(DATES, dtype="datetime64[s]"),
    early_close=np.zeros(len(DATES), dtype=bool),
    late_open=np.zeros(len(DATES), dtype=bool),
)


def codes(verdict):
    return [CODES[code] for code in verdict.code]
