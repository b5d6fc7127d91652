"""Which instruments a job of an array works on.

The instruments lie in a fixed number of partitions (instrument_id % 64). Shard I of N, counted from 0, has
the partitions I, I + N, I + 2N and so on. N divides 64, so the shards are of one size; they share nothing,
so they may run at once, in any order, twice, or end half-way and be run again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from condvest.batch_layer.database.stores.changes import PARTITIONS
from condvest.batch_layer.shared.errors import UsageError

_DIVISORS = [count for count in range(1, PARTITIONS + 1) if PARTITIONS % count == 0]


@dataclass(frozen=True)
class Shard:
    """One of ``count`` equal shares of the instruments.

    Attributes:
        index: which one, from 0.
        count: of how many; it divides the number of partitions.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``I/N``, for example ``0/4``.

        Raises:
            UsageError: it is no such text, or there is no such shard.
        """
        match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
        if not match:
            raise UsageError(f"a shard is written I/N, as in 0/4, the first of four; not {text!r}")
        return cls._checked(int(match[1]), int(match[2]))

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the shard of a job of an AWS Batch array; None if this is none.

        Raises:
            UsageError: the array's size does not divide the partitions.
        """
        index, count = environ.get("AWS_BATCH_JOB_ARRAY_INDEX"), environ.get("AWS_BATCH_JOB_ARRAY_SIZE")
        if not index:
            return None
        if not count:
            raise UsageError("AWS_BATCH_JOB_ARRAY_INDEX is set and AWS_BATCH_JOB_ARRAY_SIZE is not")
        return cls.parse(f"{index}/{count}")

    @property
    def partitions(self) -> range:
        """The partitions of the shard, ascending."""
        return range(self.index, PARTITIONS, self.count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def _checked(cls, index: int, count: int) -> Self:
        if count not in _DIVISORS:
            raise UsageError(f"shards divide {PARTITIONS} partitions: N is one of {_DIVISORS}, not {count}")
        if index >= count:
            raise UsageError(f"there is no shard {index} of {count}: they are counted from 0")
        return cls(index, count)
