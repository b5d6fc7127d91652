"""Values as Massive writes them in snapshots and messages; pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from batch_layer.shared.clients.massive import columns
from batch_layer.shared.clients.massive.columns import Faults, Values
from batch_layer.shared.models.bars import Int64s
from speed_layer.core.state import NEVER

_UNITS = ((10**11, 1_000_000.0), (10**14, 1_000.0), (10**17, 1.0))
"""Below the first number: seconds, milliseconds, microseconds, as microseconds; above all, nanoseconds.

One service gives instants in all of them, and some in another one than its page says."""


def volumes(rows: list[dict[str, Any]], key: str, decimal: str, faults: Faults) -> Values:
    """Return volumes: with their fractions, a decimal text, where the vendor gives them.

    Args:
        rows: the objects.
        key: of the volume, a number.
        decimal: of the same as a text.
        faults: told of a text that is no number.
    """
    values = columns.values_of(rows, key)
    texts = columns.values_of(rows, decimal)
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
            faults.note(row, f"volume: {columns.shown(text)} is not a number")
    return values


def instants(values: Values, label: str, faults: Faults) -> Int64s:
    """Return instants as int64 microseconds, whatever their unit; NEVER where there is none, or it is 0."""
    numbers = columns.numbers(values, label, faults)
    numbers = np.where(np.isfinite(numbers) & (numbers > 0), numbers, 0.0)
    scale = np.full(len(numbers), 0.001)
    for bound, factor in reversed(_UNITS):
        scale[numbers < bound] = factor
    micros = numbers * scale
    return np.where(numbers > 0, micros, float(NEVER)).astype(np.int64)
