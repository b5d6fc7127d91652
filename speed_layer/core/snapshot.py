"""A snapshot of the whole market, whoever sent it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from condvest.batch_layer.shared.models.bars import Bools, Floats, Int64s
from condvest.batch_layer.shared.models.given.given_rows import GivenRows
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.speed_layer.core.guards import Seen
from condvest.speed_layer.core.state import NEVER


@dataclass(frozen=True)
class RefusedRow:
    """A row that broke a rule: its symbol, the rule, the reason, and the row as it came."""

    symbol: str
    code: str
    reason: str
    content: Mapping[str, str | None]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A snapshot as it was read.

    Attributes:
        rows: as BarRows, one per ticker, in the answer's order.
        faults: what could not be read, by row.
        has_bar: bool per row, whether there was a regular trade.
        updated: int64 per row, microseconds since 1970-01-01 UTC; NEVER where unknown.
        last_price, last_at: of the last trade at any hour; NaN and NEVER where unknown.
        source: the rows as they came.
    """

    rows: BarRows
    faults: Mapping[int, str]
    has_bar: Bools
    updated: Int64s
    last_price: Floats
    last_at: Int64s
    source: GivenRows

    def seen(self) -> Seen:
        """Return what matters of the whole."""
        through = int(self.updated.max()) if len(self.updated) else int(NEVER)
        return Seen(through, len(self.rows), int(self.has_bar.sum()))


def refused_rows(snapshot: Snapshot, reasons: Mapping[int, tuple[str, str]]) -> list[RefusedRow]:
    """Return the rows of a snapshot that broke a rule."""
    symbols = snapshot.rows.symbol
    return [
        RefusedRow(symbols[row], *reasons[row], content=snapshot.source.slice(row, 1).to_pylist()[0])
        for row in sorted(reasons)
    ]
