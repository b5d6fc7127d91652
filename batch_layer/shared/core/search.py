"""Binary search in many ascending spans at once."""

from __future__ import annotations

import numpy as np

from condvest.batch_layer.shared.models.bars import Int32s, Positions


def search_spans(values: Int32s, first: Positions, end: Positions, wanted: Int32s) -> Positions:
    """Return, for each span, the position of its first value that is not below the wanted one.

    Example: in ``values`` 10, 20, 30, 5, 6 the spans 0 to 3 and 3 to 5 with ``wanted`` 25 and 7 give 2 and 5.

    Args:
        values: int32, ascending within each span.
        first: position per span, inclusive. Spans may share values.
        end: position per span, exclusive.
        wanted: int32 per span.

    Returns:
        Positions (intp) per span, its ``end`` where all its values are below the wanted one.
    """
    low, high = first.copy(), end.copy()
    while len(wide := np.flatnonzero(low < high)):
        middle = (low[wide] + high[wide]) // 2
        is_below = values[middle] < wanted[wide]
        low[wide[is_below]] = middle[is_below] + 1
        high[wide[~is_below]] = middle[~is_below]
    return low


def search_pairs(major: Int32s, minor: Int32s, wanted_major: Int32s, wanted_minor: Int32s) -> Positions:
    """Return where each wanted pair belongs among ascending pairs: ``np.searchsorted`` of two columns."""
    first = np.searchsorted(major, wanted_major, side="left")
    end = np.searchsorted(major, wanted_major, side="right")
    return search_spans(minor, first, end, wanted_minor)
