"""How far the live rows of a session were from its official bars; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.live import LiveBars

FIELDS = ("open", "high", "low", "close", "volume", "vwap")

TOLERANCES = {"volume": 0.02, "vwap": 0.002}
"""Relative differences that are not listed one by one; of prices 1e-9, which is none."""

_PRICE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class FieldFigures:
    """The relative differences of one field; see the table ``live_settlement_fields``."""

    phase: str
    field: str
    compared: int
    equal: int
    median: float
    p99: float
    largest: float


@dataclass(frozen=True)
class Settlement:
    """The comparison of a session.

    Attributes:
        compared: instruments with both; ``only_live`` and ``only_official`` those with one of them.
        figures: by phase and field.
        differences: instrument, field, live and official value, of those beyond the tolerance.
    """

    compared: int
    only_live: int
    only_official: int
    figures: tuple[FieldFigures, ...]
    differences: tuple[tuple[int, str, float, float], ...]

    @property
    def differing(self) -> int:
        """Instruments of which a field differs beyond the tolerance."""
        return len({instrument for instrument, *_ in self.differences})


def settle(live: LiveBars, phases: list[str], official: DailyBars) -> Settlement:
    """Compare the live rows of one session with its official bars.

    Args:
        live: by instrument.
        phases: of each live row, at its end.
        official: by instrument, of the same session.
    """
    _, here, there = np.intersect1d(live.instrument_id, official.instrument_id, return_indices=True)
    phase_of = np.array(phases, dtype=object)[here]
    figures, differences = [], []
    for field in FIELDS:
        ours, theirs = getattr(live, field)[here], getattr(official, field)[there]
        is_known = ~np.isnan(ours) & ~np.isnan(theirs)
        relative = np.abs(ours - theirs) / np.maximum(np.abs(theirs), np.finfo(np.float64).tiny)
        relative[ours == theirs] = 0.0
        for phase in sorted(set(phase_of.tolist())):
            rows = is_known & (phase_of == phase)
            if rows.any():
                figures.append(_figures(phase, field, relative[rows]))
        beyond = is_known & (relative > TOLERANCES.get(field, _PRICE_TOLERANCE))
        differences += [
            (int(live.instrument_id[here[row]]), field, float(ours[row]), float(theirs[row]))
            for row in np.flatnonzero(beyond).tolist()
        ]
    return Settlement(
        len(here), len(live) - len(here), len(official) - len(there), tuple(figures), tuple(differences)
    )


def _figures(phase: str, field: str, relative: np.ndarray[tuple[int], np.dtype[np.float64]]) -> FieldFigures:
    median, p99 = np.percentile(relative, [50, 99]).tolist()
    equal = int((relative == 0).sum())
    return FieldFigures(phase, field, len(relative), equal, median, p99, float(relative.max()))
