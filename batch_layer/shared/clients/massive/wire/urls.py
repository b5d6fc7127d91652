"""Where Massive's endpoints are; pure.

A URL never holds the key, and every URL is of the base's own origin: the key goes nowhere else.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SECRET_PARAMETERS = frozenset({"apikey", "api_key"})

TICKERS_A_PAGE = 1000
ACTIONS_A_PAGE = 5000
"""The most that Massive gives in one page."""


@dataclass(frozen=True)
class Urls:
    """The endpoints below one base URL (``https://api.massive.com``).

    Attributes:
        base: scheme, host and perhaps a path, without a slash at the end.
    """

    base: str

    def grouped_daily(self, session: dt.date) -> str:
        """Daily bars of a whole session, as traded, without over-the-counter securities."""
        path = f"/v2/aggs/grouped/locale/us/market/stocks/{session.isoformat()}"
        return self._of(path, {"adjusted": "false", "include_otc": "false"})

    def snapshot(self) -> str:
        """The session under way: all tickers of the stock market in one answer."""
        return self._of("/v2/snapshot/locale/us/markets/stocks/tickers", {"include_otc": "false"})

    def tickers(self, *, active: bool) -> str:
        """First page of the listed or the delisted tickers of the stock market."""
        query = {"market": "stocks", "active": "true" if active else "false"}
        return self._of(
            "/v3/reference/tickers", query | {"order": "asc", "sort": "ticker", "limit": str(TICKERS_A_PAGE)}
        )

    def ticker_details(self, symbol: str) -> str:
        """Details of a ticker, as of today."""
        return self._of(f"/v3/reference/tickers/{quote(symbol, safe='')}", {})

    def ticker_events(self, identifier: str) -> str:
        """Renames of who carries a ticker today, or has a FIGI."""
        path = f"/vX/reference/tickers/{quote(identifier, safe='')}/events"
        return self._of(path, {"types": "ticker_change"})

    def splits(self, since: dt.date | None) -> str:
        """First page of the splits with an ex-date from ``since`` on (inclusive)."""
        return self._actions("/stocks/v1/splits", "execution_date", since, None)

    def dividends(self, since: dt.date | None, before: dt.date | None) -> str:
        """First page of the dividends with an ex-date from ``since`` on (inclusive), before ``before``."""
        return self._actions("/stocks/v1/dividends", "ex_dividend_date", since, before)

    def next_page(self, next_url: str) -> str:
        """Return the next page's URL: path and query of ``next_url``, whatever host it names."""
        parts = urlsplit(next_url)
        given = parse_qsl(parts.query, keep_blank_values=True)
        query = urlencode([(name, text) for name, text in given if name.lower() not in _SECRET_PARAMETERS])
        path = f"/{parts.path.lstrip('/')}"
        return f"{self.base}{path}?{query}" if query else f"{self.base}{path}"

    def redirected(self, url: str, location: str) -> str | None:
        """Return where a redirect from ``url`` leads, None if that is another host, port or scheme."""
        try:
            target = urljoin(url, location)
        except ValueError:  # no URL at all
            return None
        return target if self.are_of(target) else None

    def are_of(self, url: str) -> bool:
        """Return whether a URL is of the base's origin."""
        return origin_of(url) == origin_of(self.base)

    def _actions(self, path: str, date: str, since: dt.date | None, before: dt.date | None) -> str:
        query = {f"{date}.gte": since.isoformat()} if since else {}
        query |= {f"{date}.lt": before.isoformat()} if before else {}
        return self._of(path, query | {"sort": f"{date}.asc", "limit": str(ACTIONS_A_PAGE)})

    def _of(self, path: str, query: dict[str, str]) -> str:
        return f"{self.base}{path}?{urlencode(query)}" if query else f"{self.base}{path}"


def origin_of(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port of a URL; None if it is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None


def path_of(url: str) -> str:
    """Return the path of a URL: what may stand in a message or a payload's name."""
    return urlsplit(url).path
