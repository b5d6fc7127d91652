"""Tickers, their details and their events, as Massive writes them."""

from __future__ import annotations

import datetime as dt

import numpy as np

from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.universe import SECTORS

_SUFFIX = {"CS": "Inc. Common Stock", "ETF": "ETF", "ADRC": "plc ADR", "PFD": "Preferred", "FUND": "Fund"}


def tickers(market: Market, date: dt.date, *, active: bool, old_names: bool) -> list[dict]:
    """Return the records of all tickers active (or not) on a date, by ticker.

    Args:
        old_names: whether the former ticker of a renamed instrument is among the inactive ones, delisted
            on the last session on which it was carried.
    """
    at, universe = market.index_through(date), market.universe
    if active:
        names = market.tickers_at(at)
        live = np.flatnonzero((universe.list_at <= at) & (universe.end_at > at)).tolist()
        records = [_record(market, i, names[i], date) for i in live]
    else:
        gone = np.flatnonzero(universe.end_at <= at).tolist()
        ended = [(i, universe.spans(i)[-1][0], int(universe.end_at[i]) - 1) for i in gone]
        if old_names:
            ended += [(i, old, when - 1) for i, when, old, _ in universe.renames if when <= at]
        records = [
            _record(market, i, name, date)
            | {"active": False, "delisted_utc": f"{market.date(last)}T00:00:00Z"}
            for i, name, last in ended
            if last >= 0
        ]
    return sorted(records, key=lambda record: record["ticker"])


def details(market: Market, instrument: int, date: dt.date) -> dict:
    """Return the ``results`` of an instrument's details on a date."""
    at, universe = max(market.index_through(date), 0), market.universe
    ticker = str(market.tickers_at(at)[instrument])
    record = _record(market, instrument, ticker, date)
    record.pop("last_updated_utc")
    root, _, suffix = ticker.partition(".")
    shares = int(universe.shares[instrument])
    record |= {
        "ticker_root": root,
        "list_date": universe.list_date(instrument, market.schedule.dates).isoformat(),
        "market_cap": round(shares * market.close_on(instrument, at), 2),
        "share_class_shares_outstanding": shares,
        "weighted_shares_outstanding": shares,
        "round_lot": 100,
    }
    if suffix:
        record["ticker_suffix"] = suffix
    if record["type"] == "CS":
        code, description = SECTORS[universe.sector[instrument]]
        record |= {
            "sic_code": code,
            "sic_description": description,
            "total_employees": 10 + shares // 100_000,
            "homepage_url": f"https://{root.lower()}.example",
            "description": f"{record['name']} makes things.",
            "address": {
                "address1": "1 Main Street",
                "city": "Springfield",
                "state": "IL",
                "postal_code": "62701",
            },
            "branding": {
                "logo_url": f"https://api.massive.com/v1/reference/company-branding/{root}/logo.svg"
            },
        }
    return record


def events(market: Market, instrument: int, date: dt.date) -> dict:
    """Return the ``results`` of an instrument's events through a date, newest first."""
    at = market.index_through(date)
    spans = [span for span in market.universe.spans(instrument) if span[1] <= at] or [
        market.universe.spans(instrument)[0]
    ]
    changes = [
        {
            "type": "ticker_change",
            "date": truth._first(market, instrument, since).isoformat(),
            "ticker_change": {"ticker": ticker},
        }
        for ticker, since, _ in spans
    ]
    record = {"name": _name(market, instrument, spans[-1][0])} | _identifiers(market, instrument)
    record.pop("share_class_figi", None)
    return record | {"events": changes[::-1]}


def cusip(market: Market, instrument: int) -> str:
    """Return nine characters that stand for the instrument's CUSIP."""
    return f"{market.seed % 100:02d}{instrument:07d}"


def instrument_of(market: Market, identifier: str, date: dt.date) -> int | None:
    """Return who carries a ticker on a date, or who has the FIGI or CUSIP; None for nobody."""
    holder = market.holder(identifier, date)
    if holder is not None:
        return holder
    for instrument in range(len(market.universe)):
        figis = (truth.composite_figi(market, instrument), truth.share_class_figi(market, instrument))
        if identifier in (*figis, cusip(market, instrument)):
            return instrument
    return None


def _record(market: Market, instrument: int, ticker: str, date: dt.date) -> dict:
    universe = market.universe
    otc = bool(universe.otc[instrument])
    record = {
        "ticker": str(ticker),
        "name": _name(market, instrument, ticker),
        "market": "otc" if otc else "stocks",
        "locale": "us",
    }
    if not otc:
        record["primary_exchange"] = str(universe.exchange[instrument])
    record |= {"type": str(universe.kind[instrument]), "active": True, "currency_name": "usd"}
    return record | _identifiers(market, instrument) | {"last_updated_utc": f"{date}T00:00:00Z"}


def _identifiers(market: Market, instrument: int) -> dict[str, str]:
    """Return the identifiers that the vendor has; those it lacks are absent."""
    identifiers = {
        "cik": truth.cik(market, instrument),
        "composite_figi": truth.composite_figi(market, instrument),
        "share_class_figi": truth.share_class_figi(market, instrument),
    }
    return {key: value for key, value in identifiers.items() if value is not None}


def _name(market: Market, instrument: int, ticker: str) -> str:
    return f"{ticker.title()} {_SUFFIX.get(market.universe.kind[instrument], 'Warrant')}"
