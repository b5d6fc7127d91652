"""Every one of Massive's paths that this server has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from condvest.serving_layer.compatible.massive.lists import ListKind
from condvest.serving_layer.compatible.massive.parameters import Parameters
from condvest.serving_layer.compatible.massive.records import Record
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.massive import reading, reference
from condvest.serving_layer.http.massive.reading import Given


@dataclass(frozen=True)
class Single:
    """A path that answers with one object, or with an array.

    Attributes:
        path: with the names of its parts.
        summary: what it answers.
        read: answers from a backend, the parts of the path and the parameters.
        parameters: that may be asked; Massive's own client repeats some parts of the path among them.
    """

    path: str
    summary: str
    read: Callable[[Backend, Given, Parameters], dict[str, Any] | list[Record]]
    parameters: Sequence[str] = ()


@dataclass(frozen=True)
class Listing:
    """A path that answers with pages of records; attributes beside those of `Single`.

    Attributes:
        kind: how its records may be selected and sorted.
        head: what each page says beside its records.
    """

    path: str
    summary: str
    read: Callable[[Backend, Given, Parameters], list[Record]]
    kind: ListKind
    parameters: Sequence[str] = ()
    head: Callable[[Given, Parameters, int], dict[str, Any]] = lambda _given, _asked, _count: {}

    @property
    def known(self) -> Sequence[str]:
        """All parameters that may be asked."""
        return [*self.parameters, *self.kind.parameters]


_BARS = ListKind({}, default=5000, most=50_000, sort="t")
_TICKERS = ListKind(
    {
        "ticker": "ticker",
        "type": "type",
        "market": "market",
        "exchange": "primary_exchange",
        "cik": "cik",
        "name": "name",
        "composite_figi": "composite_figi",
        "share_class_figi": "share_class_figi",
    },
    default=100,
    most=1000,
    sort="ticker",
)
_SPLITS = ListKind(
    {"ticker": "ticker", "execution_date": "execution_date", "adjustment_type": "adjustment_type"},
    default=100,
    most=5000,
    sort="execution_date.desc",
    dates=("execution_date",),
)
_DIVIDENDS = ListKind(
    {"ticker": "ticker", "ex_dividend_date": "ex_dividend_date", "cash_amount": "cash_amount"},
    default=100,
    most=5000,
    sort="ex_dividend_date.desc",
    numbers=("cash_amount",),
    dates=("ex_dividend_date",),
)
_OLD_SPLITS = replace(_SPLITS, default=10, most=1000)
_OLD_DIVIDENDS = replace(_DIVIDENDS, default=10, most=1000)

PATHS: tuple[Single | Listing, ...] = (
    Listing(
        "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{since}/{until}",
        "Bars of n sessions of a ticker.",
        reading.range_of_bars,
        _BARS,
        ("adjusted", "include_open"),
        reading.range_head,
    ),
    Single(
        "/v2/aggs/grouped/locale/us/market/stocks/{date}",
        "Daily bars of a whole session.",
        reading.session_of_bars,
        ("adjusted", "include_otc", "locale", "market_type"),
    ),
    Single("/v2/aggs/ticker/{ticker}/prev", "The newest daily bar.", reading.newest_bar, ("adjusted",)),
    Single("/v1/open-close/{ticker}/{date}", "The daily bar of a date.", reading.one_bar, ("adjusted",)),
    Listing(
        "/v3/reference/tickers", "Instruments.", reference.tickers, _TICKERS, ("active", "search", "locale")
    ),
    Single(
        "/v3/reference/tickers/{ticker}",
        "What is known of who carries a ticker.",
        reference.details,
        ("ticker",),
    ),
    Single(
        "/vX/reference/tickers/{identifier}/events",
        "The tickers that an instrument took.",
        reference.events,
        ("types", "ticker"),
    ),
    Listing("/stocks/v1/splits", "Splits.", reference.splits, _SPLITS),
    Listing("/stocks/v1/dividends", "Cash dividends.", reference.dividends, _DIVIDENDS),
    Listing("/v3/reference/splits", "Splits, in the deprecated form.", reference.old_splits, _OLD_SPLITS),
    Listing(
        "/v3/reference/dividends",
        "Cash dividends, in the deprecated form.",
        reference.old_dividends,
        _OLD_DIVIDENDS,
    ),
    Single("/v1/marketstatus/upcoming", "Days without a session, and early closes.", reference.holidays),
)
