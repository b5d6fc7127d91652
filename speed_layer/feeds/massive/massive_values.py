"""Values as Massive writes them in snapshots and messages; pure."""

from __future__ import annotations

import numpy as np

from condvest.batch_layer.shared.clients.massive import columns
from condvest.batch_layer.shared.clients.massive.faults import Faults, Values, shown
from condvest.batch_layer.shared.models.bars import Floats, Int64s
from condvest.speed_layer.core.state import NEVER

_UNITS = ((10**11, 1_000_000.0), (10**14, 1_000.0), (10**17, 1.0))
"""Below the first number: seconds, milliseconds, microseconds, as microseconds; above all, nanoseconds.

One service gives instants in all of them, and some in another one than its page says."""

_LARGEST = 2.0**63
"""Nanoseconds of 64 bits."""


def volumes(values: Values, texts: Values, faults: Faults) -> Values:
    """Return volumes: with their fractions, a decimal text, where the vendor gives them.

    Args:
        values: the volumes as numbers; each is replaced whose text there is.
        texts: the same as decimal texts.
        faults: told of a text that is no number.
    """
    try:
        return list(map(float, texts))
    except (TypeError, ValueError):
        pass  # one at least is missing or no number
    for row, text in enumerate(texts):
        if text is None:
            continue
        try:
            values[row] = float(text)
        except (TypeError, ValueError):
            faults.note(row, f"volume: {shown(text)} is not a number")
    return values


def instants(values: Values, label: str, faults: Faults) -> Int64s:
    """Return instants as int64 microseconds, whatever their unit; NEVER where there is none, or it is 0."""
    return micros(columns.numbers(values, label, faults))


def micros(numbers: Floats) -> Int64s:
    """Return instants of any unit as int64 microseconds; NEVER where there is none, or none can be."""
    with np.errstate(invalid="ignore"):
        numbers = np.where((numbers > 0) & (numbers < _LARGEST), numbers, 0.0)
    scale = np.full(len(numbers), 0.001)
    for bound, factor in reversed(_UNITS):
        scale[numbers < bound] = factor
    return np.where(numbers > 0, numbers * scale, float(NEVER)).astype(np.int64)
