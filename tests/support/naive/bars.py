"""The folding of bars and the split factors once more: slow, plain, and sharing no code with the package.

Rows are dictionaries, one a daily bar or bar, with the columns' names as keys. An unknown vwap is None, and
so is an unknown number of trades.
"""

import itertools
import math
from dataclasses import fields

UNKNOWN_TRADES = -1


def rows_of(columns):
    """Turn columns into rows, in their order."""
    rows = []
    for index in range(len(columns)):
        row = {}
        for field in fields(columns):
            row[field.name] = getattr(columns, field.name)[index].item()
        if "vwap" in row and math.isnan(row["vwap"]):
            row["vwap"] = None
        if row.get("trades") == UNKNOWN_TRADES:
            row["trades"] = None
        rows.append(row)
    return rows


def window_of(ordinal, n, anchor=0):
    """Count windows one by one from the anchor, up or down."""
    window, first = 0, anchor
    while ordinal < first:
        window, first = window - 1, first - n
    while ordinal >= first + n:
        window, first = window + 1, first + n
    return window


def factors(splits, instrument_id, after, until):
    """Return the price factor and the volume factor of the splits with after < ex-date <= until."""
    price = volume = 1.0
    for split in sorted(splits, key=lambda split: split["ex_ordinal"]):  # sorted keeps the order of equals
        if split["instrument_id"] == instrument_id and after < split["ex_ordinal"] <= until:
            price = price * (split["split_from"] / split["split_to"])
            volume = volume * (split["split_to"] / split["split_from"])
    return price, volume


def scaled(row, price, volume):
    """Return the row with its prices and its volume multiplied."""
    changed = {name: row[name] * price for name in ("open", "high", "low", "close")}
    vwap = None if row["vwap"] is None else row["vwap"] * price
    return {**row, **changed, "volume": row["volume"] * volume, "vwap": vwap}


def total(values):
    """Sum in the order promised: runs of descending powers of two, each by halves, left to right."""
    if len(values) == 1:
        return values[0]
    run = 1
    while run * 2 <= len(values):
        run = run * 2
    if run == len(values):
        return total(values[: run // 2]) + total(values[run // 2 :])
    result = total(values[:run])
    rest = values[run:]
    while rest:
        run = 1
        while run * 2 <= len(rest):
            run = run * 2
        result, rest = result + total(rest[:run]), rest[run:]
    return result


def fold(daily, n, splits, complete, last_loaded, anchors=None):
    """Fold rows of daily bars into rows of bars of n sessions.

    ``complete`` holds pairs (instrument, ordinal) of sessions loaded in full; ``last_loaded`` maps an
    instrument to the last session loaded for it; ``anchors`` an instrument to its anchor.
    """
    bars = []
    for instrument, of_instrument in itertools.groupby(daily, key=lambda row: row["instrument_id"]):
        anchor = anchors[instrument] if anchors else 0
        windows = {}
        for row in of_instrument:
            windows.setdefault(window_of(row["ordinal"], n, anchor), []).append(row)
        for window in sorted(windows):
            last = anchor + window * n + n - 1
            basis = min(last, last_loaded[instrument])
            rows = [
                scaled(row, *factors(splits, instrument, row["ordinal"], basis)) for row in windows[window]
            ]
            bars.append(
                {
                    "instrument_id": instrument,
                    "window": window,
                    "open": rows[0]["open"],
                    "high": max(row["high"] for row in rows),
                    "low": min(row["low"] for row in rows),
                    "close": rows[-1]["close"],
                    "volume": total([row["volume"] for row in rows]),
                    "vwap": mean_price(rows),
                    "trades": None if any(row["trades"] is None for row in rows) else sum_of_trades(rows),
                    "sessions": len(rows),
                    "is_complete": all(
                        (instrument, ordinal) in complete for ordinal in range(last - n + 1, last + 1)
                    ),
                }
            )
    return bars


def sum_of_trades(rows):
    return sum(row["trades"] for row in rows)


def mean_price(rows):
    """Return the mean vwap weighted by volume, None if it cannot be known."""
    volume = total([row["volume"] for row in rows])
    if volume == 0 or any(row["volume"] > 0 and row["vwap"] is None for row in rows):
        return None
    if len(rows) == 1:
        return rows[0]["vwap"]
    return total([row["vwap"] * row["volume"] if row["volume"] > 0 else 0.0 for row in rows]) / volume
