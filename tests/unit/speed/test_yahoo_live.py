"""Yahoo's messages and quotes: single precision, what is missing, and the order that they come in."""

import base64
import json
import random

import numpy as np
import pytest
from yfinance.pricing_pb2 import PricingData

from condvest.batch_layer.shared.errors import InputError
from condvest.speed_layer.core.running import Day, Trade
from condvest.speed_layer.feeds.yahoo.yahoo_messages import as_printed, read_messages
from condvest.speed_layer.feeds.yahoo.yahoo_quotes import read_quotes
from tests.support.exchange import NOW

TIME = 1_717_426_800_123
"""Milliseconds of an instant on 2024-06-03."""


def frame(**fields):
    message = PricingData(**{"id": "AAPL", "price": 182.01, "time": TIME, "market_hours": 1} | fields)
    content = base64.b64encode(message.SerializeToString()).decode()
    return json.dumps({"type": "pricing", "message": content}).encode()


@pytest.mark.parametrize(("decimals", "below"), [(2, 131_072), (4, 1024)])
def test_a_price_comes_out_as_it_was_printed(decimals, below):
    draw = random.Random(decimals)
    printed = [round(draw.uniform(0.01, below), decimals) for _ in range(20_000)]
    assert as_printed(np.array(printed, dtype=np.float32).astype(np.float64)).tolist() == printed


def test_a_price_beyond_that_is_as_exact_as_it_was_said():
    printed = np.array([700_000.12, 131_072.01, 2_345.6789])
    read = as_printed(printed.astype(np.float32).astype(np.float64))
    assert (np.abs(read - printed) <= np.spacing(printed.astype(np.float32))).all()
    assert (read.astype(np.float32) == printed.astype(np.float32)).all()


def test_fields_that_were_not_said_are_unknown_and_others_are_as_yfinance_encodes_them():
    read = read_messages(
        [
            frame(),
            frame(day_volume=1234, day_high=183.5, day_low=180.25, open_price=181.1),
            frame(id="BRK-B"),
        ],
        [1, 2, 3],
    ).messages
    assert read.symbol.tolist() == ["AAPL", "AAPL", "BRK.B"]
    assert read.start.tolist() == [TIME * 1000] * 3
    assert np.isnan(read.volume[[0, 2]]).all()
    assert np.isnan(read.official_open[[0, 2]]).all()
    assert [read.close[0], read.high[0], read.low[0]] == [182.01] * 3
    told = (read.close, read.high, read.low, read.official_open, read.volume)
    assert [column[1] for column in told] == [182.01, 183.5, 180.25, 181.1, 1234.0]


def test_what_is_not_of_regular_hours_is_left_out_and_what_is_none_is_said():
    odd = [b"no", b"[]", b'{"message": 7}', b'{"message": "%%"}', b'{"message": "CgD/////"}']
    read = read_messages([frame(market_hours=0), frame(market_hours=2), *odd, frame(id="", time=0)], range(8))
    assert len(read.unreadable) == 5
    assert len(read.messages) == 1
    assert read.faults == {0: "time: 0 is no instant of these days; symbol: missing"}


def test_quotes_that_are_none_are_refused_and_bad_values_are_faults_of_their_rows():
    for content in (b"no", b"{}", b'{"asked_at":1,"answer":{"finance":{"error":"x"}}}'):
        with pytest.raises(InputError, match="expected"):
            read_quotes(content, NOW.date())
    rows = [
        {"symbol": "A", "regularMarketTime": TIME // 1000, "regularMarketPrice": 10.0, "marketState": "POST"},
        {"symbol": "B", "regularMarketTime": TIME // 1000, "regularMarketPrice": "x"},
        {"symbol": "C"},
    ]
    asked_at = TIME * 1000 + 10**9
    body = {"asked_at": asked_at, "answer": {"quoteResponse": {"result": rows}}}
    read = read_quotes(json.dumps(body).encode(), NOW.date())
    assert read.has_bar.tolist() == [True, False, False]
    assert read.faults[0] == "high: missing; low: missing; volume: missing"
    assert "close: 'x' is not a number" in read.faults[1]
    assert read.updated[0] == asked_at
    assert read.updated[1] == TIME // 1000 * 10**6


def test_a_day_is_the_same_in_whatever_order_its_trades_come_and_however_often():
    draw = random.Random(1)
    quoted = Day(100, 100, 10.0, 11.0, 9.0, 10.5, 500.0, 100)
    trades = []
    for at in range(101, 140):
        price = round(draw.uniform(8, 12), 2)
        volume = 500.0 + at if draw.random() < 0.7 else np.nan
        trades.append(Trade(at, np.nan, price, price, price, volume))
    wanted = quoted
    for trade in trades:
        wanted = wanted.after(trade)
    assert (wanted.high, wanted.low) == (max(t.high for t in trades), min(t.low for t in trades))
    assert wanted.close == trades[-1].close
    for _ in range(50):
        shuffled = draw.choices(trades, k=30) + trades
        draw.shuffle(shuffled)
        day = quoted
        for trade in shuffled:
            day = day.after(trade)
        assert day == wanted
