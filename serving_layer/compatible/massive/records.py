"""Instruments, corporate actions and holidays as Massive writes them.

What is not known has no key. Massive's own ids of actions are not stored: ours are made of what they name.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from condvest.batch_layer.shared.models.sessions import Sessions

Record = dict[str, Any]

_LISTED = {
    "name": "name",
    "type": "type",
    "primary_exchange": "exchange",
    "cik": "cik",
    "composite_figi": "figi",
    "share_class_figi": "share_class_figi",
}
_DETAILED = {
    "list_date": "list_date",
    "sic_code": "sic_code",
    "sic_description": "sic_description",
    "market_cap": "market_cap",
    "share_class_shares_outstanding": "shares_outstanding",
    "weighted_shares_outstanding": "weighted_shares_outstanding",
}
"""Massive's keys, and the columns of `condvest instruments` that they hold."""

_OF_TIME = "T00:00:00Z"


def tickers(instruments: pa.Table) -> list[Record]:
    """Return a record per instrument, by ticker.

    An instrument of which no reference says whether it is listed counts as listed, unless a date of its
    delisting is known.
    """
    records = [_ticker(row) for row in instruments.to_pylist()]
    return sorted(records, key=lambda record: str(record["ticker"]))


def details(instrument: Mapping[str, Any]) -> Record:
    """Return the record of one instrument, with what only the details hold."""
    more = {key: instrument[column] for key, column in _DETAILED.items() if instrument[column] is not None}
    if "list_date" in more:
        more["list_date"] = more["list_date"].isoformat()
    for key in ("share_class_shares_outstanding", "weighted_shares_outstanding"):
        if key in more and float(more[key]).is_integer():
            more[key] = int(more[key])
    return _ticker(instrument) | more


def events(
    instrument: Mapping[str, Any], spans: Iterable[tuple[str, dt.date | None]], listed: dt.date | None
) -> Record:
    """Return the tickers that an instrument took, the newest first.

    Args:
        instrument: a row of `condvest instruments`.
        spans: each ticker with the first date on which it was carried, None where that is not known.
        listed: the date for a ticker without one: the first session of the instrument's bars.
    """
    changes = [
        {"type": "ticker_change", "date": since.isoformat(), "ticker_change": {"ticker": symbol}}
        for symbol, since in ((symbol, since or listed) for symbol, since in spans)
        if since is not None
    ]
    record = {key: instrument[column] for key, column in _LISTED.items() if instrument[column] is not None}
    described = {key: record[key] for key in ("name", "composite_figi", "cik") if key in record}
    return described | {"events": sorted(changes, key=lambda change: str(change["date"]), reverse=True)}


def splits(table: pa.Table) -> list[Record]:
    """Return a record per split, by ex-date; ``historical_adjustment_factor`` is of all from it on."""
    records = [
        {
            "id": _id("split", row),
            "ticker": row["symbol"],
            "execution_date": row["ex_date"].isoformat(),
            "split_from": row["split_from"],
            "split_to": row["split_to"],
            "adjustment_type": "forward_split" if row["split_to"] >= row["split_from"] else "reverse_split",
            "historical_adjustment_factor": row["price_factor"],
        }
        for row in table.to_pylist()
    ]
    return sorted(records, key=lambda record: (str(record["execution_date"]), str(record["ticker"])))


def dividends(table: pa.Table) -> list[Record]:
    """Return a record per cash dividend, by ex-date."""
    records = [
        {
            "id": _id("dividend", row),
            "ticker": row["symbol"],
            "ex_dividend_date": row["ex_date"].isoformat(),
            "cash_amount": row["cash_amount"],
            "currency": "USD",
        }
        for row in table.to_pylist()
    ]
    return sorted(records, key=lambda record: (str(record["ex_dividend_date"]), str(record["ticker"])))


def in_the_older_form(keys: Sequence[str], more: Mapping[str, Any]) -> Callable[[Record], Record]:
    """Return what makes a record of the deprecated lists (``/v3/reference``) of one of the current ones."""
    return lambda record: {key: record[key] for key in keys if key in record} | dict(more)


def closed_days(sessions: Sessions, today: dt.date) -> list[Record]:
    """Return the weekdays from today on without a session, and the sessions that close early.

    As far as the calendar reaches: its last session's date.
    """
    last = sessions.date[-1].item()
    open_days = {date.item(): at for at, date in enumerate(sessions.date)}
    records: list[Record] = []
    for offset in range((last - today).days + 1):
        day = today + dt.timedelta(days=offset)
        at = open_days.get(day)
        if at is None and day.weekday() < 5:  # noqa: PLR2004  # Saturday
            records += [_closed(exchange, day) for exchange in ("NYSE", "NASDAQ")]
        elif at is not None and sessions.early_close[at]:
            hours = {"open": _instant(sessions.opens_at[at]), "close": _instant(sessions.closes_at[at])}
            records += [
                _closed(exchange, day) | {"status": "early-close"} | hours for exchange in ("NYSE", "NASDAQ")
            ]
    return records


def _closed(exchange: str, day: dt.date) -> Record:
    return {"exchange": exchange, "date": day.isoformat(), "status": "closed"}


def _instant(at: Any) -> str:  # noqa: ANN401  # a datetime64[s], UTC
    return f"{at.item().isoformat()}.000Z"


def _ticker(row: Mapping[str, Any]) -> Record:
    delisted = row["delisted_date"]
    record = {"ticker": row["symbol"], "market": "stocks", "locale": "us"}
    record |= {key: row[column] for key, column in _LISTED.items() if row[column] is not None}
    record["active"] = delisted is None if row["active"] is None else row["active"]
    record["currency_name"] = (row["currency"] or "USD").lower()
    if delisted is not None:
        record["delisted_utc"] = delisted.isoformat() + _OF_TIME
    return record


def _id(kind: str, row: Mapping[str, Any]) -> str:
    text = f"{kind}:{row['symbol']}:{row['ex_date'].isoformat()}"
    return "E" + hashlib.sha256(text.encode()).hexdigest()
