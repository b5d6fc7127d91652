"""Payloads made for the tests: rows as dictionaries, turned into the file that a user or vendor sends."""

import csv
import datetime as dt
import io
import json
import random
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from condvest.batch_layer.shared.models.given.payloads import Payload

FETCHED = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
BARS = ("symbol", "session", "open", "high", "low", "close", "volume", "vwap", "trades")
SPLITS = ("symbol", "ex_date", "split_from", "split_to")
DIVIDENDS = ("symbol", "ex_date", "cash_amount")


def bar(symbol, session, version=0, **values):
    """Return a plausible daily bar, always the same for the same arguments; ``values`` replace its own."""
    random_ = random.Random(f"{symbol} {session} {version}")
    low, inner, other, high = sorted(round(random_.uniform(5, 200), 2) for _ in range(4))
    first, last = random_.choice([(inner, other), (other, inner)])
    row = {
        "symbol": symbol,
        "session": session,
        "open": first,
        "high": high,
        "low": low,
        "close": last,
        "volume": random_.choice([0, random_.randrange(10**7), random_.randrange(10**7) + 1 / 3]),
        "vwap": random_.choice([None, inner, inner]),
        "trades": random_.choice([None, random_.randrange(10**5), random_.randrange(10**5)]),
    }
    return {**row, **values}


def split(symbol, ex_date, split_from=1, split_to=2):
    """Return a row of `SPLITS`; two shares for one unless others are given."""
    return {"symbol": symbol, "ex_date": ex_date, "split_from": split_from, "split_to": split_to}


def dividend(symbol, ex_date, cash_amount):
    """Return a row of `DIVIDENDS`."""
    return {"symbol": symbol, "ex_date": ex_date, "cash_amount": cash_amount}


def csv_of(columns, rows):
    """Return rows as CSV; floats are written so that they come back as they were, None as nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def payload(dataset, content, *, provider="file", asked=None, name="test.csv", fetched_at=FETCHED):
    """Return a payload; ``asked``, the first and last session, makes it a vendor's whole-market answer."""
    first, last = asked or (None, None)
    return Payload(
        provider=provider,
        dataset=dataset,
        content=content,
        media="csv",
        first_session=first,
        last_session=last,
        fetched_at=fetched_at,
        is_whole=asked is not None,
        name=name,
    )


def bars_payload(rows, **how):
    return payload("daily_bars", csv_of(BARS, rows), **how)


def parquet_payload(rows, **how):
    """Return daily bars as Parquet, in which a text may hold anything."""
    columns = {name: [row[name] for row in rows] for name in BARS}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return replace(payload("daily_bars", file.getvalue(), **how), media="parquet")


def splits_payload(rows, **how):
    return payload("splits", csv_of(SPLITS, rows), **how)


def dividends_payload(rows, **how):
    return payload("dividends", csv_of(DIVIDENDS, rows), **how)


def json_payload(dataset, results, *, whole=False):
    """Return a payload of Massive's; ``whole`` makes it all that there is."""
    content = json.dumps({"status": "OK", "results": results}, indent=1).encode()
    asked = (FETCHED.date(), FETCHED.date()) if whole else None
    return replace(payload(dataset, content, provider="massive", asked=asked), media="json")


def counts(summary):
    return {
        name: getattr(summary, name)
        for name in ("inserted", "changed", "unchanged", "outranked", "duplicates", "withdrawn")
        if getattr(summary, name)
    }


def zstd_unpacked(content):
    """Return what is packed by zstd, by another library than the archive's."""
    with pa.input_stream(pa.BufferReader(content), compression="zstd") as stream:
        return stream.read()
