"""What a database knows of all instruments, kept between questions about the whole market.

Names, splits and coverage of thousands of instruments change with a load, and a question about all of them
needs them all. They are kept under the version that its transaction sees, so they cannot be stale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.revisioned import SPLITS
from condvest.batch_layer.database.stores.identity.symbols import symbols_by_instrument
from condvest.batch_layer.database.stores.loading.ledger import read_coverage
from condvest.batch_layer.database.stores.touched import REFERENCE, version_of
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.corporate_actions import SplitEvents
from condvest.batch_layer.shared.models.coverage import Coverage
from condvest.batch_layer.shared.models.spans import always
from condvest.serving_layer.kept import Kept

LARGEST = 32 << 20
"""Bytes that a process keeps."""

_BYTES_A_NAME = 150
"""Of a dictionary's entry with its symbol, about."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What is known of all instruments with daily bars, as every load has left it. Nobody alters it.

    Attributes:
        version: names it: another one for what differs.
        names: the present or last symbol by instrument.
        coverage: which sessions have been loaded for them.
        splits: their splits, by instrument and ex-date.
    """

    version: str
    names: dict[int, str]
    coverage: Coverage
    splits: SplitEvents

    @classmethod
    def read(cls, connection: Connection, version: str) -> Reference:
        """Read it in a transaction that sees one state."""
        coverage = read_coverage(connection)
        splits = SPLITS.read(connection, always(coverage.instrument_id))
        return cls(version, symbols_by_instrument(connection), coverage, splits)

    @property
    def memory(self) -> int:
        """About how many bytes it takes."""
        arrays = (*vars(self.coverage).values(), *vars(self.splits).values())
        return sum(getattr(each, "nbytes", 0) for each in arrays) + _BYTES_A_NAME * len(self.names)

    def coverage_of(self, ids: Int32s) -> Coverage:
        """Return the coverage of some instruments (ascending)."""
        own = np.isin(self.coverage.instrument_id, ids)
        if own.all():
            return self.coverage
        ids, providers = self.coverage.instrument_id[own], self.coverage.providers[own]
        return replace(self.coverage, instrument_id=ids, providers=providers)

    def splits_of(self, ids: Int32s) -> SplitEvents:
        """Return the splits of some instruments (ascending)."""
        own = np.isin(self.splits.instrument_id, ids)
        return self.splits if own.all() else self.splits.take(own)


_kept: Kept[Reference] = Kept(LARGEST)


def reference(connection: Connection) -> Reference:
    """Return what a transaction that sees one state (REPEATABLE READ) sees of all instruments."""
    version = version_of(connection, REFERENCE)
    return _kept.get(version, lambda: Reference.read(connection, version), lambda made: made.memory)
