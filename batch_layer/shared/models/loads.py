"""What a load did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from condvest.batch_layer.shared.models.bars import Bools, Columns, Int32s
from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS

_EXPECTED = frozenset({"not_traded", "taken_back"})
"""Codes of refused rows that are nobody's fault."""

_EXPECTED_OF_VENDORS = _EXPECTED | {"no_instrument"}
"""The same of a vendor's answers, whose lists name securities without bars; in a file it is a typo."""


@dataclass(frozen=True)
class LoadSummary:
    """What came of loading one payload; every row that came is in exactly one of the counts.

    Attributes:
        name: where the payload came from.
        provider, dataset: as in the payload.
        rows: rows that came.
        inserted, changed, unchanged: rows stored anew, stored over other values, stored already.
        outranked: rows that differ from a bar of a higher-ranked provider, which stays.
        duplicates: rows that repeat another row of the payload, value by value.
        refused: rows refused, by the code of the rule they broke.
        newly_refused: of these the rows that no load of the provider and data set had refused before.
        withdrawn: stored rows that the payload no longer has, moved to the revisions.
        sessions: how many sessions the rows are of; ex-dates for splits and dividends.
        partial: sessions that look cut short, ascending.
        first_refused: line and reason of the first refused row of a payload; "" if none was refused.
        notices: what a person should know, one sentence each.
        seconds: time spent by step (parse, judge, store).
    """

    name: str
    provider: str
    dataset: str
    rows: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    outranked: int = 0
    duplicates: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    newly_refused: Mapping[str, int] = field(default_factory=dict)
    withdrawn: int = 0
    sessions: int = 0
    partial: tuple[dt.date, ...] = ()
    first_refused: str = ""
    notices: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def altered(self) -> int:
        """How many stored rows the load inserted, changed or withdrew."""
        return self.inserted + self.changed + self.withdrawn

    @property
    def metrics(self) -> dict[str, int]:
        """Its metrics, by the names of `condvest.batch_layer.shared.utils.logs.UNITS`."""
        return {
            "RowsLoaded": self.inserted,
            "RowsChanged": self.changed + self.withdrawn,
            "RowsRefused": sum(self.refused.values()),
        }

    @property
    def needs_attention(self) -> bool:
        """Whether a session is partial, prices are in doubt, or rows were refused for the first time.

        Rows that are refused through nobody's fault never count.
        """
        expected = _EXPECTED_OF_VENDORS if self.provider in PROVIDERS else _EXPECTED
        unexpected = any(code not in expected for code in self.newly_refused)
        return unexpected or "in_doubt" in self.refused or bool(self.partial)


@dataclass(frozen=True, eq=False)
class LedgerRows(Columns):
    """What the ledger holds of one provider's sessions, ascending.

    Attributes:
        ordinal: int32.
        complete: bool, whether the session was loaded in full; otherwise it is partial.
        rows, passed, inserted, changed, withdrawn, refused: int32, rows of the session in the load that
            entered it: those that came, those that passed every rule, and so on.
    """

    ordinal: Int32s
    complete: Bools
    rows: Int32s
    passed: Int32s
    inserted: Int32s
    changed: Int32s
    withdrawn: Int32s
    refused: Int32s


EVERY_LOAD = 2**31 - 1
"""Stands for the last load of all: what is known now."""
