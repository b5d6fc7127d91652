"""The messages of Yahoo's stream, from a session's trades, encoded by yfinance's own description of them."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass

from yfinance.pricing_pb2 import PricingData

from tests.support.emulators.synthetic.trades import FORM_T, SECOND, Day, Trade
from tests.support.emulators.yahoo.running import running, symbol_in

PRE, REGULAR, POST = 0, 1, 2
GRID = 10 * SECOND
"""A symbol has a message at most so often."""


@dataclass(frozen=True)
class Message:
    """A message of the stream: when it is sent, and when its trade was; microseconds."""

    at: int
    executed: int
    symbol: str
    content: bytes


def messages_of(day: Day, symbols: tuple[str, ...], seed: int = 0) -> list[Message]:
    """Return all messages of symbols on a day, ascending: one where something was traded since the last."""
    sent = []
    for symbol in symbols:
        ticker = symbol_in(day, symbol)
        trades = day.trades.get(ticker, []) if ticker else []
        draw = random.Random(f"{symbol} {day.session} {seed}")
        for at in sorted({(trade.reported // GRID + 1) * GRID for trade in trades}):
            message = _message(symbol, trades, at, draw)
            if message is not None:
                sent.append(Message(at, message.time * 1000, symbol, enveloped(message)))
    return sorted(sent, key=lambda message: (message.at, message.symbol))


def _message(symbol: str, trades: list[Trade], at: int, draw: random.Random) -> PricingData | None:
    newest = max((trade for trade in trades if trade.reported < at), key=lambda trade: trade.reported)
    now = running(trades, at)
    message = PricingData(id=symbol, currency="USD", exchange="NMS", quote_type=8, price_hint=2)
    if newest.condition == FORM_T:
        message.market_hours = PRE if now is None else POST
        message.price, message.time = newest.price, newest.executed // 1000
        return message
    if now is None:
        return None
    message.market_hours = REGULAR
    message.price, message.time = now.price, now.at // 1000
    # Which of the rest come is Yahoo's secret.
    if draw.random() < 0.8:
        message.day_volume = now.volume
    if draw.random() < 0.4:
        message.day_high, message.day_low = now.high, now.low
    if draw.random() < 0.3:
        message.open_price = now.open
    return message


def enveloped(message: PricingData) -> bytes:
    """Return a message as it goes over the wire."""
    content = base64.b64encode(message.SerializeToString()).decode()
    return json.dumps({"type": "pricing", "message": content}).encode()
