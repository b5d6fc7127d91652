"""Yahoo Finance over HTTP: chart, cookie, crumb, consent, and the least of quotes and summaries.

Every host of Yahoo is served by this one server, told apart by path alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from tests.support.emulators.emulator import Emulator, Refusal
from tests.support.emulators.faults import Fault, Reply, json_reply
from tests.support.emulators.httpd import Request
from tests.support.emulators.kept import Kept
from tests.support.emulators.plans import CallCount
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york_date
from tests.support.emulators.synthetic.trades import SECOND, day_of
from tests.support.emulators.yahoo import chart, running
from tests.support.emulators.yahoo.history import History, of_market

CRUMB = "EmuLat0r.crumb"
TOO_MANY = Reply(429, b"Too Many Requests\r\n", "text/html")
_COOKIE = "A3=d=emulated&S=emulated; Max-Age=31557600; Path=/; HttpOnly"
_CONSENT = (
    b'<html><body><form method="post"><input type="hidden" name="csrfToken" value="token">'
    b'<input type="hidden" name="sessionId" value="session"></form></body></html>'
)
_ROUTES = (
    ("chart", r"/v8/finance/chart/(?P<symbol>[^/]+)"),
    ("quote_summary", r"/v10/finance/quoteSummary/(?P<symbol>[^/]+)"),
    ("quote", r"/v7/finance/quote"),
    ("fundamentals", r"/ws/fundamentals-timeseries/v1/finance/timeseries/(?P<symbol>[^/]+)"),
    ("crumb", r"/v1/test/getcrumb"),
    ("consent", r"/consent"),
    ("consent", r"/v2/collectConsent"),
    ("consent", r"/copyConsent"),
    ("cookie", r"/?"),
)


class YahooEmulator(Emulator):
    """Emulates Yahoo Finance. See Emulator for the arguments that it shares.

    Args:
        market: serves the symbols of a synthetic market, or None.
        histories: served besides; they go before the market's symbols.
        clock: seconds, for the knob ``rate``; above it 429.
    """

    def __init__(
        self,
        market: Market | None = None,
        *,
        histories: Sequence[History] = (),
        clock: Callable[[], float] = time.monotonic,
        **settings,
    ) -> None:
        super().__init__(market, **settings)
        self._histories = {history.symbol: history for history in histories}
        self._of_market = Kept(most=64)
        self._count = CallCount(clock)
        self._days = Kept(most=2)

    def match(self, request: Request) -> tuple[str, str]:
        """Return the endpoint's name and its family of faults."""
        endpoint, _ = _route(request)
        return endpoint, "json" if endpoint in ("chart", "quote", "quote_summary") else "file"

    def admit(self, request: Request, endpoint: str) -> None:
        """Let a call pass, or refuse it: 429 above the knob ``rate``, 401 for a summary without crumb."""
        if self.knobs.rate and self._count.wait(*self.knobs.rate):
            raise Refusal(TOO_MANY)
        if endpoint in ("quote", "quote_summary") and request.query.get("crumb") != CRUMB:
            error = {"code": "Unauthorized", "description": "Invalid Crumb"}
            raise Refusal(json_reply({"finance": {"result": None, "error": error}}, 401))

    def serve(self, request: Request, endpoint: str, fault: Fault | None) -> Reply:  # noqa: ARG002 as the base
        """Return the honest answer."""
        _, symbol = _route(request)
        if endpoint == "chart":
            return self._chart(symbol, request.query)
        if endpoint == "quote_summary":
            return self._summary(symbol)
        if endpoint == "quote":
            return self._quotes(request.query.get("symbols", ""))
        plain = {
            "fundamentals": json_reply({"timeseries": {"result": [], "error": None}}),
            "crumb": Reply(200, CRUMB.encode(), "text/plain"),
            "consent": Reply(200, _CONSENT, "text/html"),
            # The real one answers 404 and gives its cookie all the same.
            "cookie": Reply(404, b"", "text/html", {"Set-Cookie": _COOKIE}),
        }
        return plain.get(endpoint, Reply(404, b"Not Found", "text/plain"))

    def spoilt(self, reply: Reply, fault: Fault) -> Reply:
        """Return a reply as a fault makes it, a 429 in Yahoo's words."""
        spoilt = super().spoilt(reply, fault)
        if spoilt.status == TOO_MANY.status and spoilt.body:
            return Reply(429, TOO_MANY.body, TOO_MANY.content_type, spoilt.headers)
        return spoilt

    def _history(self, symbol: str) -> History | None:
        if symbol.upper() in self._histories:
            return self._histories[symbol.upper()]
        if self.market is None:
            return None
        now = self.now()
        key = (symbol.upper(), new_york_date(now), self.market.schedule.closed_by(now))
        return self._of_market.get(key, lambda: of_market(self.market, symbol, now))

    def _chart(self, symbol: str, query: dict[str, str]) -> Reply:
        if query.get("interval", "1d") != "1d":
            return json_reply(chart.bad_interval(query["interval"]), 422)
        history = self._history(symbol)
        if history is None:
            return json_reply(chart.not_found(), 404)
        nulls, gaps = self.knobs.nulls.get(history.symbol, ()), self.knobs.gaps.get(history.symbol, ())
        body = chart.chart(history, query, self.now(), nulls=nulls, gaps=gaps)
        if body is None:
            return json_reply(chart.no_rows(query.get("period1", 0), query.get("period2", 0)), 400)
        return json_reply(body)

    def _quotes(self, symbols: str) -> Reply:
        """Return the quotes of comma-separated symbols; those that there are not are left out."""
        histories = [history for symbol in symbols.split(",") if (history := self._history(symbol))]
        result = [
            _quote_type(history) | {"exchangeTimezoneName": "America/New_York"} | self._running(history)
            for history in histories
        ]
        return json_reply({"quoteResponse": {"result": result, "error": None}})

    def _running(self, history: History) -> dict:
        """Return the numbers of a quote: of the session under way, else of the last one."""
        now = self.now()
        day = None
        if self.market is not None and self.market.schedule.index(new_york_date(now)) is not None:
            day = self._days.get((new_york_date(now),), lambda: day_of(self.market, new_york_date(now)))
        if day is not None and running.symbol_in(day, history.symbol) is None:
            day = None
        before = {
            "regularMarketTime": chart.stamp(history.session[-1].item()) + 23_400,
            "regularMarketOpen": running.single(history.open[-1]),
            "regularMarketDayHigh": running.single(history.high[-1]),
            "regularMarketDayLow": running.single(history.low[-1]),
            "regularMarketPrice": running.single(history.close[-1]),
            "regularMarketVolume": round(float(history.volume[-1])),
        }
        return running.quote(history.symbol, day, int(now.timestamp() * SECOND), before)

    def _summary(self, symbol: str) -> Reply:
        history = self._history(symbol)
        if history is None:
            error = {"code": "Not Found", "description": f"Quote not found for symbol: {symbol}"}
            return json_reply({"quoteSummary": {"result": None, "error": error}}, 404)
        result = {
            "quoteType": _quote_type(history) | {"timeZoneFullName": "America/New_York"},
            "summaryProfile": {
                "sector": history.sector,
                "industry": history.sector,
                "country": "United States",
            },
        }
        return json_reply({"quoteSummary": {"result": [result], "error": None}})


def _quote_type(history: History) -> dict[str, str]:
    return {
        "symbol": history.symbol,
        "quoteType": history.kind,
        "longName": f"{history.symbol} Inc.",
        "exchange": "NMS",
        "currency": "USD",
    }


def _route(request: Request) -> tuple[str, str]:
    for endpoint, pattern in _ROUTES:
        if match := re.fullmatch(pattern, request.path):
            return endpoint, match.groupdict().get("symbol", "")
    return "unknown", ""
