"""Where another instrument's rows begin. Pure."""

from __future__ import annotations

import numpy as np

from batch_layer.processing.runs import Places
from batch_layer.shared.models.bars import Int32s


def run_starts(instrument_id: Int32s) -> Places:
    """Return where another instrument begins than in the row before; 0 is among them if there is a row."""
    return np.flatnonzero(np.append(True, instrument_id[1:] != instrument_id[:-1])[: len(instrument_id)])
