"""A payload between reading it and storing it."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from condvest.batch_layer.fetching import quality
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload


@dataclass(frozen=True)
class JudgedPayload:
    """A payload whose rows were parsed and judged, ready to be loaded.

    Attributes:
        payload: the payload; of a chart, one of its tables.
        whole: the payload as it is archived.
        archived: its key, if it comes from the archive; None if it has to be archived.
        parsed, verdict: its rows, and which of them may be loaded.
        seconds: the time spent by step.
        known_from: when what it says was known; None if that is when it is loaded.
        also: the other tables of the same payload, loaded after this one.
    """

    payload: Payload
    whole: Payload
    archived: str | None
    parsed: Parsed
    verdict: quality.Verdict
    seconds: Mapping[str, float]
    known_from: dt.datetime | None = None
    also: tuple[JudgedPayload, ...] = ()

    def table(self, dataset: str) -> JudgedPayload | None:
        """Return the table of a data set; None if the payload has none."""
        return next((table for table in (self, *self.also) if table.parsed.dataset == dataset), None)


def first_refused(parsed: Parsed, verdict: quality.Verdict) -> tuple[int, str]:
    """Return the line of the first refused row, and what is said of it; past all lines and "" if none is."""
    if not verdict.reasons:
        return sys.maxsize, ""
    first = min(verdict.reasons)
    line = int(parsed.rows.line[first])
    return line, f"line {line}: {verdict.reasons[first]}"
