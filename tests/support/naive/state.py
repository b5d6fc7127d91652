"""What a database says at a moment, by plain SQL, and what a reader should get of it, by the naive model."""

from dataclasses import dataclass
from itertools import pairwise

from tests.support.naive import bars as naive
from tests.support.naive.database import PRICES, folded, rows_of

NAMES = (
    "SELECT DISTINCT ON (instrument_id) instrument_id, symbol FROM symbols "
    "ORDER BY 1, valid_to DESC, valid_from DESC"
)
ORDINAL = (
    "coalesce((SELECT min(ordinal) FROM sessions WHERE session >= ex_date), "
    "(SELECT max(ordinal) + 1 FROM sessions))"
)
COLUMNS = ("window", "open", "high", "low", "close", "volume", "vwap", "trades", "sessions", "is_complete")


@dataclass(frozen=True)
class State:
    """All that answers depend on."""

    daily: list
    splits: list
    dividends: list
    complete: set
    last_loaded: dict
    metadata: list

    @classmethod
    def of(cls, connection):
        event = ("instrument_id", "ex_ordinal")
        return cls(
            daily=rows_of(
                connection,
                f"SELECT instrument_id, ordinal, {', '.join(PRICES)} FROM daily_bars "
                "ORDER BY instrument_id, ordinal",
                ("instrument_id", "ordinal", *PRICES),
            ),
            splits=rows_of(
                connection,
                f"SELECT instrument_id, {ORDINAL}, split_from, split_to FROM splits ORDER BY ex_date",
                (*event, "split_from", "split_to"),
            ),
            dividends=rows_of(
                connection,
                f"SELECT instrument_id, {ORDINAL}, cash_amount FROM dividends ORDER BY ex_date",
                (*event, "cash_amount"),
            ),
            complete=set(
                connection.execute(
                    "SELECT instrument_id, ordinal FROM ledger JOIN instrument_providers USING (provider_id) "
                    "WHERE status = 'complete'"
                )
            ),
            last_loaded=dict(
                connection.execute(
                    "SELECT instrument_id, max(ordinal) FROM ledger JOIN instrument_providers "
                    "USING (provider_id) GROUP BY 1"
                ).fetchall()
            ),
            metadata=connection.execute(
                "SELECT instrument_id, field, value FROM metadata ORDER BY 1, 2"
            ).fetchall(),
        )

    def bars(self, n, adjust, names, *, listing=False):
        """Return the bars of n sessions that a reader gets, open ones too: (symbol, *COLUMNS), sorted.

        With ``listing`` windows are counted from each instrument's first daily bar.
        """
        answer = []
        for instrument in sorted({row["instrument_id"] for row in self.daily}):
            rows = [row for row in self.daily if row["instrument_id"] == instrument]
            first = rows[0]["ordinal"] if listing else 0
            bars = self._of_instrument(instrument, rows, n, adjust, first)
            answer += [(names[instrument], *(bar[name] for name in COLUMNS)) for bar in bars]
        return sorted(answer, key=lambda row: row[:3])

    def _of_instrument(self, instrument, rows, n, adjust, first):
        loaded = self.last_loaded[instrument]
        splits = self.splits
        if adjust == "total":
            ratios = self._ratios(instrument, rows)
            rows, splits = [self._total(row, loaded, ratios) for row in rows], []
        rows = [{**row, "ordinal": row["ordinal"] - first} for row in rows]
        splits = [{**split, "ex_ordinal": split["ex_ordinal"] - first} for split in splits]
        complete = {(bar_of, ordinal - first) for bar_of, ordinal in self.complete}
        bars = folded(rows, n, splits, complete, {instrument: loaded - first})
        if adjust == "splits":
            ends = [min(bar["window"] * n + n - 1, loaded - first) for bar in bars]
            bars = [
                naive.scaled(bar, *naive.factors(splits, instrument, end, loaded - first))
                for bar, end in zip(bars, ends, strict=True)
            ]
        return bars

    def _total(self, row, loaded, ratios):
        at = (row["instrument_id"], row["ordinal"], loaded)
        price, volume = naive.factors(self.splits, *at)
        cash, _ = naive.factors(ratios, *at)
        return naive.scaled(row, price * cash, volume)

    def _ratios(self, instrument, rows):
        """Return, for each bar with dividends since the bar before, its close, and its close with them."""
        ratios = []
        for before, row in pairwise(rows):
            cash = 0.0
            for dividend in self.dividends:
                is_its = dividend["instrument_id"] == instrument
                if is_its and before["ordinal"] < dividend["ex_ordinal"] <= row["ordinal"]:
                    price, _ = naive.factors(self.splits, instrument, dividend["ex_ordinal"], row["ordinal"])
                    cash = cash + dividend["cash_amount"] * price
            if cash:
                close = row["close"]
                at = {"instrument_id": instrument, "ex_ordinal": row["ordinal"]}
                ratios.append({**at, "split_from": close, "split_to": close + cash})
        return ratios


def names_of(connection):
    """Return the symbol that each instrument carries now."""
    return dict(connection.execute(NAMES).fetchall())


def rows_read(table):
    """Return a table of bars as `State.bars` gives them."""
    return sorted(
        zip(table["symbol"].to_pylist(), *(table[name].to_pylist() for name in COLUMNS), strict=True),
        key=lambda row: row[:3],
    )
