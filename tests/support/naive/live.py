"""What an answer with the session under way should be: the tables by plain SQL, folded by the naive model."""

from condvest.batch_layer.shared.settings import INTERVALS
from tests.support.naive import database as naive

COUNTING = (
    "SELECT live.instrument_id, live.ordinal, live.open, live.high, live.low, live.close, live.volume, "
    "live.vwap, NULL::int8 FROM live_daily_bars AS live "
    "WHERE live.instrument_id IN (SELECT instrument_id FROM instrument_providers) "
    "AND (live.instrument_id, live.ordinal) NOT IN (SELECT instrument_id, ordinal FROM daily_bars) "
    "AND NOT EXISTS (SELECT FROM ledger JOIN instrument_providers AS by USING (provider_id) "
    "WHERE by.instrument_id = live.instrument_id AND ledger.ordinal = live.ordinal "
    "AND ledger.status = 'complete')"
)
"""The live rows that count, as columns of daily bars."""


def put_live(connection, rows, through):
    """Write live rows as a collector would; ``rows`` are dictionaries with instrument_id and ordinal."""
    for row in rows:
        connection.execute(
            "INSERT INTO live_daily_bars (ordinal, instrument_id, open, high, low, close, volume, vwap, "
            "phase, data_through, run_id) VALUES (%(ordinal)s, %(instrument_id)s, %(open)s, %(high)s, "
            "%(low)s, %(close)s, %(volume)s, %(vwap)s, 'open', %(through)s, 1) "
            "ON CONFLICT (ordinal, instrument_id) DO UPDATE SET open = excluded.open, high = excluded.high, "
            "low = excluded.low, close = excluded.close, volume = excluded.volume, vwap = excluded.vwap, "
            "data_through = excluded.data_through",
            {**row, "through": through},
        )


def counting(connection):
    """Return the live rows that count, as dictionaries."""
    return naive.rows_of(connection, COUNTING, ("instrument_id", "ordinal", *naive.PRICES))


def recomputed(connection, interval):
    """Return what the bars should be with the live rows in: the full fold of both."""
    live = counting(connection)
    daily = naive.rows_of(
        connection,
        f"SELECT instrument_id, ordinal, {', '.join(naive.PRICES)} FROM daily_bars",
        ("instrument_id", "ordinal", *naive.PRICES),
    )
    together = sorted([*daily, *live], key=lambda row: (row["instrument_id"], row["ordinal"]))
    keys = [(row["instrument_id"], row["ordinal"]) for row in together]
    assert len(keys) == len(set(keys))
    splits, complete, last_loaded = naive.facts(connection)
    for row in live:
        last_loaded[row["instrument_id"]] = max(
            last_loaded.get(row["instrument_id"], row["ordinal"]), row["ordinal"]
        )
    bars = naive.folded(together, interval, splits, complete, last_loaded)
    windows = {(row["instrument_id"], row["ordinal"] // interval) for row in live}
    return [{**bar, "is_live": (bar["instrument_id"], bar["window"]) in windows} for bar in bars]


ASKED = (1, 2, *INTERVALS)
"""The intervals that are compared: stored ones, and folded ones."""
