"""The screen over HTTP, beside the same figures made one by one."""

import statistics

import pytest

import condvest


def figures(bars):
    """Return a screen's row of an instrument's bars, the newest of which is the last."""
    newest, past = bars[-1], [bar for bar in bars[:-1] if bar["window"] >= bars[-1]["window"] - 34]
    row = {name: newest[name] for name in ("symbol", "close", "volume", "is_complete")}
    row["last_session"] = newest["last_session"].isoformat()
    for count in (1, 5, 13, 34):
        then = [bar["close"] for bar in past if bar["window"] == newest["window"] - count]
        row[f"change_{count}"] = newest["close"] / then[0] - 1 if then else None
    volumes = [bar["volume"] for bar in past]
    row["volume_ratio"] = newest["volume"] / statistics.mean(volumes) if volumes else None
    row["from_high"] = newest["close"] / max(bar["high"] for bar in [*past, newest]) - 1
    row["from_low"] = newest["close"] / min(bar["low"] for bar in [*past, newest]) - 1
    return row


@pytest.mark.parametrize(("interval", "on"), [(1, None), (13, None), (5, "2012-06-29"), (21, "2012-08-01")])
def test_the_screen_is_what_the_bars_give(client, settings, interval, on):
    """On 2012-06-29 FB had been listed for 30 sessions; no later one is in what is told as of then."""
    asked = {"interval": interval} | ({"on": on} if on else {})
    rows = client.get("/v1/screen", params=asked).json()["rows"]
    bars = condvest.bars(interval=interval, include_open=True, settings=settings).to_pylist()
    newest = max(bar["window"] for bar in bars if not on or bar["last_session"].isoformat() <= on)
    wanted = []
    for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT"):
        own = [bar for bar in bars if bar["symbol"] == symbol and bar["window"] <= newest]
        wanted += [figures(own)] if own and own[-1]["window"] == newest else []
    assert len(wanted) >= 4
    assert [row["symbol"] for row in rows] == [row["symbol"] for row in wanted]
    for row, expected in zip(rows, wanted, strict=True):
        for name, value in expected.items():
            exact = value is None or isinstance(value, str | bool)
            assert row[name] == (value if exact else pytest.approx(value, rel=1e-12, abs=1e-12)), name


def test_bounds_and_order(client):
    rows = client.get("/v1/screen?sort=-close&min_close=100").json()["rows"]
    closes = [row["close"] for row in rows]
    assert closes == sorted(closes, reverse=True)
    assert min(closes) >= 100
    every = client.get("/v1/screen?format=columns").json()["columns"]["volume"]
    assert len(client.get(f"/v1/screen?min_volume={max(every)}").json()["rows"]) == 1
    assert client.get("/v1/screen?on=1900-01-01").json()["rows"] == []


@pytest.mark.parametrize("query", ["sort=name", "min_close=nan", "interval=0", "on=2012-6-1"])
def test_what_cannot_be_asked_is_refused(client, query):
    assert client.get(f"/v1/screen?{query}").status_code == 400
