"""Random numbers with random access: each is a function of a seed, a stream, a session, an instrument.

A generator that is drawn from in turn would have to make a whole history to give one bar. These numbers
can be had for one session across all instruments, or for one instrument across all sessions, and agree.
The mixing function is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014).
"""

from __future__ import annotations

import numpy as np

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_STREAM = 0xD1B54A32D192ED03
_SESSION = np.uint64(0xA0761D6478BD642F)
_INSTRUMENT = np.uint64(0xE7037ED1A0B428DB)


def uniform(seed: int, stream: int, session, instrument):
    """Return float64 in [0, 1), one for each pair of the broadcast ``session`` and ``instrument``."""
    key = np.uint64((seed * _GOLDEN + stream * _STREAM) & _MASK)
    session = np.atleast_1d(np.asarray(session)).astype(np.uint64)
    instrument = np.atleast_1d(np.asarray(instrument)).astype(np.uint64)
    mixed = _mix(_mix(session * _SESSION + key) + instrument * _INSTRUMENT)
    return (mixed >> np.uint64(11)) * 2.0**-53


def _mix(x):
    x = x + np.uint64(_GOLDEN)  # arrays of unsigned integers wrap, which is what the function wants
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
