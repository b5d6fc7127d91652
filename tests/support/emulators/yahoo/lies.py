"""Yahoo as it lies: each lie is told of one symbol for some nights, and was told by the real one.

============  ==============================================================================================
late          the split is listed, and no price before it is brought to its basis (yfinance-cache#34)
late_in_part  only the newest prices before it are (yfinance, NFE 2026-09)
twice         the prices before it are brought to its basis twice (yfinance PR#1543)
too_soon      they are, and the split is not listed yet
hidden        the split, listed before, is not listed for a while (yfinance#906)
moved         the split is listed a session late (yahooquery#142)
null          the row of the split's ex-date holds nulls (yfinance, NFE 2026-09)
double        the newest session is told twice, first with values that are not final (yfinance#754)
stub          a row after the last trade, with the price of that trade (forecastbench PR#251)
phantom       a dividend that was never paid (yfinance, SAND 2024-01)
unlisted      a dividend, listed before, is not listed for a while
foreign       a dividend is in Canadian dollars (yfinance#2270)
cents         the prices are in a hundredth of the currency (yfinance, AET.L)
zero          the split is 1 for 0 (pandas-datareader PR#602)
garbage       the body is half a page of HTML
============  ==============================================================================================
"""

import datetime as dt
import json
from dataclasses import dataclass

from tests.support.emulators.faults import Reply
from tests.support.emulators.synthetic.sessions import new_york_date
from tests.support.emulators.yahoo.chart import stamp
from tests.support.emulators.yahoo.server import YahooEmulator

QUOTES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Lie:
    """A lie, told from one date in New York to another (exclusive).

    Attributes:
        kind: one of the table above.
        symbol: as Yahoo spells it.
        since, until: when it is told.
        date: of the split, the dividend or the stub that it is about.
        ratio: new shares per old share, of the split.
        part: how many of the prices before the split are on its basis, of ``late_in_part``.
    """

    kind: str
    symbol: str
    since: dt.date
    until: dt.date
    date: dt.date | None = None
    ratio: float = 1.0
    part: int = 3


class LyingYahoo(YahooEmulator):
    """Yahoo with lies."""

    def __init__(self, market=None, *, lies=(), **settings):
        super().__init__(market, **settings)
        self.lies = tuple(lies)

    def lies_now(self, symbol):
        """Return the lies that are told of a symbol now."""
        today = new_york_date(self.now())
        return [lie for lie in self.lies if lie.symbol == symbol and lie.since <= today < lie.until]

    def _chart(self, symbol, query):
        reply = super()._chart(symbol, query)
        lies = self.lies_now(symbol.upper())
        if any(lie.kind == "garbage" for lie in lies):
            return Reply(200, b"<html><body>Will be right back", "text/html")
        if reply.status != 200 or not lies:
            return reply
        body = json.loads(reply.body)
        for lie in lies:
            _TOLD[lie.kind](body["chart"]["result"][0], lie)
        return Reply(200, json.dumps(body).encode(), reply.content_type)


def _scale(result, factor, chosen):
    quote = result["indicators"]["quote"][0]
    for row, at in enumerate(result["timestamp"]):
        if chosen(at) and quote["close"][row] is not None:
            for name in QUOTES:
                quote[name][row] *= factor
            quote["volume"][row] = round(quote["volume"][row] / factor)


def _late(result, lie):
    _scale(result, lie.ratio, lambda at: at < stamp(lie.date))


def _late_in_part(result, lie):
    before = sorted(at for at in result["timestamp"] if at < stamp(lie.date))
    if len(before) > lie.part:
        _scale(result, lie.ratio, lambda at: at < before[-lie.part])


def _twice(result, lie):
    _scale(result, 1 / lie.ratio, lambda at: at < stamp(lie.date))


def _too_soon(result, lie):
    _hidden(result, lie)
    if max(result["timestamp"]) < stamp(lie.date):
        _scale(result, 1 / lie.ratio, lambda at: at < stamp(lie.date))


def _hidden(result, lie):
    result.get("events", {}).get("splits", {}).pop(str(stamp(lie.date)), None)


def _moved(result, lie):
    splits = result.get("events", {}).get("splits", {})
    later = [at for at in sorted(result["timestamp"]) if at > stamp(lie.date)]
    if later and (split := splits.pop(str(stamp(lie.date)), None)):
        splits[str(later[0])] = split | {"date": later[0]}


def _null(result, lie):
    quote = result["indicators"]["quote"][0]
    for row, at in enumerate(result["timestamp"]):
        if at == stamp(lie.date):
            for name in (*QUOTES, "volume"):
                quote[name][row] = None


def _double(result, _lie):
    quote = result["indicators"]["quote"][0]
    newest = result["timestamp"].index(max(result["timestamp"]))
    result["timestamp"].append(result["meta"]["regularMarketTime"])
    for name in (*QUOTES, "volume"):
        quote[name].append(quote[name][newest])
    if quote["close"][newest] is not None:
        quote["close"][newest] = quote["low"][newest]
        quote["volume"][newest] //= 2


def _stub(result, lie):
    last = result["meta"]["regularMarketTime"]
    if stamp(lie.date) > last:
        quote = result["indicators"]["quote"][0]
        price = quote["close"][-1]
        result["timestamp"].append(stamp(lie.date))
        for name in QUOTES:
            quote[name].append(price)
        quote["volume"].append(0)


def _phantom(result, lie):
    if min(result["timestamp"]) <= stamp(lie.date):
        paid = result.setdefault("events", {}).setdefault("dividends", {})
        paid.setdefault(str(stamp(lie.date)), {"amount": 0.77, "date": stamp(lie.date)})


def _unlisted(result, lie):
    result.get("events", {}).get("dividends", {}).pop(str(stamp(lie.date)), None)


def _foreign(result, lie):
    paid = result.get("events", {}).get("dividends", {}).get(str(stamp(lie.date)))
    if paid:
        paid["currency"], paid["amount"] = "CAD", paid["amount"] * 1.37


def _cents(result, _lie):
    result["meta"]["currency"] = "GBp"
    _scale(result, 100, lambda _at: True)


def _zero(result, lie):
    split = result.get("events", {}).get("splits", {}).get(str(stamp(lie.date)))
    if split:
        split["denominator"] = 0.0


_TOLD = {
    "late": _late,
    "late_in_part": _late_in_part,
    "twice": _twice,
    "too_soon": _too_soon,
    "hidden": _hidden,
    "moved": _moved,
    "null": _null,
    "double": _double,
    "stub": _stub,
    "phantom": _phantom,
    "unlisted": _unlisted,
    "foreign": _foreign,
    "cents": _cents,
    "zero": _zero,
}
"""What makes a chart tell a lie, by its kind; garbage is no chart."""

SPLIT_LIES = ("late", "late_in_part", "twice", "too_soon", "hidden", "moved", "null", "zero")
DIVIDEND_LIES = ("phantom", "unlisted", "foreign")
OTHER_LIES = ("double", "cents", "garbage")
