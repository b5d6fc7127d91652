"""What the stored bars should be: recomputed from the tables by plain SQL and the naive model."""

from condvest.batch_layer.shared.settings import INTERVALS
from tests.support.naive import bars as naive

PRICES = ("open", "high", "low", "close", "volume", "vwap", "trades")
BAR = ("instrument_id", "window", *PRICES, "sessions", "is_complete")


def rows_of(connection, query, columns):
    return [dict(zip(columns, row, strict=True)) for row in connection.execute(query)]


def stored(connection, interval):
    """Return the stored bars of an interval, by instrument and window."""
    names = ", ".join(f'"{name}"' for name in BAR)
    query = f'SELECT {names} FROM bars WHERE "interval" = {interval} ORDER BY instrument_id, "window"'
    return rows_of(connection, query, BAR)


def recomputed(connection, interval):
    """Return what they should be by daily bars, splits, ledger and who supplies whom."""
    daily = rows_of(
        connection,
        f"SELECT instrument_id, ordinal, {', '.join(PRICES)} FROM daily_bars ORDER BY instrument_id, ordinal",
        ("instrument_id", "ordinal", *PRICES),
    )
    return folded(daily, interval, *facts(connection))


def facts(connection):
    """Return the splits, the pairs (instrument, session) loaded in full, and the last session loaded."""
    splits = rows_of(
        connection,
        "SELECT instrument_id, coalesce((SELECT min(ordinal) FROM sessions WHERE session >= ex_date), "
        "(SELECT max(ordinal) + 1 FROM sessions)), split_from, split_to FROM splits ORDER BY ex_date",
        ("instrument_id", "ex_ordinal", "split_from", "split_to"),
    )
    complete = set(
        connection.execute(
            "SELECT instrument_id, ordinal FROM ledger JOIN instrument_providers USING (provider_id) "
            "WHERE status = 'complete'"
        )
    )
    last_loaded = dict(
        connection.execute(
            "SELECT instrument_id, max(ordinal) FROM ledger JOIN instrument_providers USING (provider_id) "
            "GROUP BY 1"
        ).fetchall()
    )
    return splits, complete, last_loaded


def folded(daily, interval, splits, complete, last_loaded):
    """Fold from an anchor near the bars: the model counts windows one by one."""
    if not daily:
        return []
    base = min(row["ordinal"] for row in daily) // interval
    anchors = {row["instrument_id"]: base * interval for row in daily}
    bars = naive.fold(daily, interval, splits, complete, last_loaded, anchors)
    return [{**bar, "window": bar["window"] + base} for bar in bars]


def differences(connection):
    """Return every bar that is stored and should be otherwise, or should be stored and is not."""
    differing = []
    for interval in INTERVALS:
        are = {(bar["instrument_id"], bar["window"]): bar for bar in stored(connection, interval)}
        should_be = {(bar["instrument_id"], bar["window"]): bar for bar in recomputed(connection, interval)}
        differing += [
            (interval, key, are.get(key), should_be.get(key))
            for key in sorted(are.keys() | should_be.keys())
            if are.get(key) != should_be.get(key)
        ]
    return differing
