"""Splits and dividends as Massive writes them, in the new (v1) and the deprecated (v3) form.

``historical_adjustment_factor`` of an event is cumulative: a price before it, and not before an earlier
one, times the factor is adjusted for it and for all later ones.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market


def splits(market: Market, now: dt.datetime, *, dirt: bool) -> list[dict]:
    """Return all splits known at ``now``; with ``dirt`` some stand twice, under two ids."""
    records, factors = [], {}
    for split in reversed(truth.splits(market, now)):
        factor = factors.get(split["instrument"], 1.0) * split["split_from"] / split["split_to"]
        factors[split["instrument"]] = factor
        record = {
            "id": _id("split", split["instrument"], split["ex_date"]),
            "ticker": split["symbol"],
            "execution_date": split["ex_date"],
            "split_from": split["split_from"],
            "split_to": split["split_to"],
            "adjustment_type": split["adjustment_type"],
            "historical_adjustment_factor": round(factor, 9),
        }
        records.append(record)
        if dirt and len(records) % 9 == 0:
            records.append(record | {"id": _id("again", split["instrument"], split["ex_date"])})
    return records[::-1]


def dividends(market: Market, now: dt.datetime) -> list[dict]:
    """Return all cash dividends known at ``now``."""
    splits_of: dict[int, list[dict]] = {}
    for split in truth.splits(market, now):
        splits_of.setdefault(split["instrument"], []).append(split)
    records, factors = [], {}
    for dividend in reversed(truth.dividends(market, now)):
        instrument, ex_date = dividend["instrument"], dividend["ex_date"]
        factors[instrument] = factors.get(instrument, 1.0) * dividend["factor"]
        adjusted = dividend["cash_amount"]
        for split in splits_of.get(instrument, ()):
            if split["ex_date"] > ex_date:
                adjusted *= split["split_from"] / split["split_to"]
        records.append(
            {
                "id": _id("dividend", instrument, ex_date),
                "ticker": dividend["symbol"],
                "record_date": dividend["record_date"],
                "ex_dividend_date": ex_date,
                "declaration_date": dividend["declaration_date"],
                "pay_date": dividend["pay_date"],
                "frequency": 4,
                "cash_amount": dividend["cash_amount"],
                "currency": "USD",
                "distribution_type": "recurring",
                "historical_adjustment_factor": round(factors[instrument], 9),
                "split_adjusted_cash_amount": round(adjusted, 6),
            }
        )
    return records[::-1]


def old_splits(records: list[dict]) -> list[dict]:
    """Return splits in the deprecated form."""
    kept = ("execution_date", "id", "split_from", "split_to", "ticker")
    return [{name: record[name] for name in kept} for record in records]


def old_dividends(records: list[dict]) -> list[dict]:
    """Return dividends in the deprecated form."""
    kept = ("cash_amount", "currency", "declaration_date", "ex_dividend_date", "frequency", "id", "pay_date")
    kept += ("record_date", "ticker")
    return [{name: record[name] for name in kept} | {"dividend_type": "CD"} for record in records]


def _id(kind: str, instrument: int, ex_date: str) -> str:
    return "E" + hashlib.sha256(f"{kind}:{instrument}:{ex_date}".encode()).hexdigest()
