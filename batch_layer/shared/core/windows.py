"""Windows: which n sessions make one bar.

Sessions are numbered by their ordinals. With ``anchor`` 0, window k of interval n holds the sessions
``k * n`` to ``k * n + n - 1``, both inclusive, whatever rows are present: so every instrument's bar closes
on the same session, and one more session touches one window per interval. Another anchor moves the first
session of window 0 there; ``anchor="listing"`` is the ordinal of each instrument's own first session.

Ordinals and windows are int32, negative ones included: session -1 lies in window -1.
"""

from __future__ import annotations

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.bars import Int32s

LONGEST_INTERVAL = 32_767
"""The longest interval, in sessions: a bar counts its sessions in an int16."""


def windows_of(ordinals: Int32s, n: int, anchor: int | Int32s = 0) -> Int32s:
    """Return the window (int32) of each session: floor((ordinal - anchor) / n).

    Args:
        ordinals: int32, in any order.
        n: sessions in a window.
        anchor: ordinal of the first session of window 0: one for all, or an int32 a row.

    Raises:
        UsageError: n is below 1 or above LONGEST_INTERVAL.
    """
    # The usual anchor costs no pass over the rows.
    since: Int32s = ordinals if isinstance(anchor, int) and anchor == 0 else ordinals - anchor
    windows: Int32s = since // _checked(n)
    return windows


def first_ordinals(windows: Int32s, n: int, anchor: int | Int32s = 0) -> Int32s:
    """Return the ordinal (int32) of each window's first session; arguments and errors as windows_of."""
    ordinals: Int32s = windows * _checked(n) + anchor
    return ordinals


def last_ordinals(windows: Int32s, n: int, anchor: int | Int32s = 0) -> Int32s:
    """Return the ordinal (int32) of each window's last session, which is part of it; else as windows_of."""
    return first_ordinals(windows, n, anchor + (n - 1))


def _checked(n: int) -> int:
    if not 1 <= n <= LONGEST_INTERVAL:
        raise UsageError(f"an interval has 1 to {LONGEST_INTERVAL} sessions, not {n}")
    return n
