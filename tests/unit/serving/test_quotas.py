"""How often a key may ask."""

import asyncio
import datetime as dt
import json

import httpx
import pytest

from condvest.serving_layer.access import Keys
from condvest.serving_layer.http.answers.problems import TooManyRequests
from condvest.serving_layer.http.guarding.guards import Guards, Rules
from condvest.serving_layer.http.guarding.quotas import Quotas


class Clock:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


def test_a_bucket_empties_and_fills_again_within_a_minute(clock):
    quotas = Quotas(clock)
    left = [quotas.take("desk", 3)["ratelimit"] for _ in range(3)]
    assert left == ['"key";r=2;t=20', '"key";r=1;t=40', '"key";r=0;t=60']
    with pytest.raises(TooManyRequests, match="3 times a minute; ask again in 20 s") as refused:
        quotas.take("desk", 3)
    assert refused.value.limits["retry-after"] == "20"
    assert refused.value.limits["ratelimit"] == '"key";r=0;t=60'
    assert quotas.take("lab", 3)["ratelimit"] == '"key";r=2;t=20'  # another key has a bucket of its own
    clock.seconds += 20
    quotas.take("desk", 3)
    with pytest.raises(TooManyRequests):
        quotas.take("desk", 3)
    clock.seconds += 3600
    assert quotas.take("desk", 3)["ratelimit"] == '"key";r=2;t=20'  # no more than is full


def test_what_is_refused_takes_nothing(clock):
    quotas = Quotas(clock)
    quotas.take("desk", 1)
    for _ in range(10):
        with pytest.raises(TooManyRequests):
            quotas.take("desk", 1)
    clock.seconds += 60
    quotas.take("desk", 1)


async def _answers(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def test_a_key_that_asks_too_often_is_told_when_to_come_again(tmp_path):
    """A key's own number comes before the server's; who has no key takes nothing from anybody's bucket."""
    keys, now, lines = Keys.of_home(tmp_path), dt.datetime.now(dt.UTC), []
    own, usual = keys.add("own", now, per_minute=1), keys.add("usual", now)
    app = Guards(_answers, Rules(keys=keys, per_minute=2), lines.append)

    async def run(*given):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [await client.get("/v1/bars", headers={"Authorization": f"Bearer {key}"}) for key in given]

    answers = asyncio.run(run(own, own, usual, "cv_wrong", usual, usual))
    assert [answer.status_code for answer in answers] == [200, 429, 200, 401, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"key";q=1;w=60'
    assert answers[2].headers["ratelimit"] == '"key";r=1;t=30'
    refused = answers[1]
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["ratelimit"] == '"key";r=0;t=60'
    assert refused.headers["ratelimit-policy"] == '"key";q=1;w=60'
    assert refused.json()["type"] == "/problems/quota"
    assert "the key own may ask 1 times a minute" in refused.json()["detail"]
    assert not any(key in line for line in lines for key in (own, usual))
    assert [json.loads(line).get("key") for line in lines] == ["own", "own", "usual", None, "usual", "usual"]
