"""How often each key may ask: a bucket of requests per key, which fills again within a minute."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from condvest.serving_layer.http.answers.problems import TooManyRequests

MINUTE = 60

_MOST_BUCKETS = 10_000
"""Buckets that are kept; the one that was used least recently goes first, and is full when it comes again."""


@dataclass
class _Bucket:
    left: float
    at: float


class Quotas:
    """Counts the requests of each key. For one event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Count by a clock that tells seconds and never goes back."""
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str, per_minute: int) -> dict[str, str]:
        """Take one request from a key's bucket, and return the headers that say what is left.

        Args:
            name: of the key.
            per_minute: requests that the full bucket holds.

        Raises:
            TooManyRequests: the bucket is empty; it says when to ask again.
        """
        now, each = self._now(), MINUTE / per_minute
        bucket = self._buckets.pop(name, None) or _Bucket(per_minute, now)
        bucket.left = min(per_minute, bucket.left + (now - bucket.at) / each)
        bucket.at = now
        self._buckets[name] = bucket
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            wait = math.ceil((1 - bucket.left) * each)
            raise TooManyRequests(
                f"the key {name} may ask {per_minute} times a minute; ask again in {wait} s",
                {"retry-after": str(wait), **_limits(per_minute, bucket.left)},
            )
        bucket.left -= 1
        return _limits(per_minute, bucket.left)


def _limits(per_minute: int, left: float) -> dict[str, str]:
    """Return what is left, and when all of it is there, as draft-ietf-httpapi-ratelimit-headers-11 has it."""
    until_full = math.ceil((per_minute - left) * MINUTE / per_minute)
    return {
        "ratelimit-policy": f'"key";q={per_minute};w={MINUTE}',
        "ratelimit": f'"key";r={int(left)};t={until_full}',
    }
