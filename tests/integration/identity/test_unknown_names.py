"""A name that nothing has is refused wherever it chooses what is answered: it never passes for no rows."""

import json
from dataclasses import replace

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.serving_layer.contract.reports import EventsQuery
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from tests.support.asked import application
from tests.support.payloads import bar
from tests.support.publishing import published
from tests.support.serving import served
from tests.support.worlds.alerted import Alerted

CHOOSES_NOTHING = {"columns", "format", "cursor", "version", "source", "symbols"}
"""Texts that name no thing in the data, and the short form of ``symbol``."""

DATES = {"start", "end", "on", "session", "as_of"}

CHOICES = {"adjust", "anchor", "by", "search", "sort"}
"""One of a few words, a column, or a part of a name, which nothing need have."""

SYMBOL = ("symbol", "TYPO", 404, "unknown-symbol")
NAMES = {
    "/v1/bars": [SYMBOL],
    "/v1/instruments": [
        SYMBOL,
        ("type", "XYZ", 404, "unknown-name"),
        ("exchange", "XYZ", 404, "unknown-name"),
    ],
    "/v1/symbols": [SYMBOL, ("instrument_id", "99", 404, "unknown-name")],
    "/v1/splits": [SYMBOL],
    "/v1/dividends": [SYMBOL],
    "/v1/gaps": [SYMBOL],
    "/v1/quality": [SYMBOL],
    "/v1/history": [SYMBOL],
    "/v1/coverage": [SYMBOL, ("provider", "filly", 404, "unknown-name")],
    "/v1/sessions": [("provider", "filly", 404, "unknown-name")],
    "/v1/refused": [("load_id", "99", 404, "unknown-name")],
    "/v1/runs": [("command", "resimple", 404, "unknown-name")],
    "/v1/alerts": [SYMBOL, ("rule", "breakuot", 404, "unknown-name")],
}
"""Endpoint to each parameter by which it chooses what has a name, such a name, and how it is refused."""

NEAR = {"filly": ["file"], "resimple": ["resample"], "breakuot": ["breakout"]}


@pytest.fixture
def alerted(world):
    world.bars([bar(symbol, world.date(at)) for symbol in "AB" for at in range(3)])
    made = Alerted(world, sessions_before=2)
    made.rule("close(1) > 10", "breakout")
    return made


def chosen_by(model):
    """Return the parameters of a question by which things with names are chosen."""
    texts = {name for name, field in model.model_fields.items() if "str" in str(field.annotation)}
    return (
        (texts | ({"load_id", "instrument_id"} & set(model.model_fields))) - CHOOSES_NOTHING - DATES - CHOICES
    )


def test_every_parameter_that_names_something_is_looked_at_here():
    asked = {endpoint.path: chosen_by(endpoint.model) for endpoint in ENDPOINTS}
    assert {path: names for path, names in asked.items() if names} == {
        path: {name for name, *_ in given} for path, given in NAMES.items()
    }
    assert chosen_by(EventsQuery) == {"symbol", "rule"}


@pytest.mark.parametrize("kind", [DatabaseBackend, PublishedBackend])
def test_over_http(alerted, kind, tmp_path):
    target = DirectoryTarget(tmp_path / "published")
    published(alerted.world, target)
    settings = replace(alerted.world.workspace.settings, published_at=target.name)
    with application(settings, kind) as ask:
        for path, given in NAMES.items():
            if kind is PublishedBackend and path == "/v1/alerts":
                continue  # which is never published
            for name, value, status, problem in given:
                answer = ask.get(path, params={name: value})
                content = answer.json()
                assert (answer.status_code, content["type"]) == (status, f"/problems/{problem}"), path
                assert value in content["detail"]
                assert content.get("near", []) == NEAR.get(value, [])


def test_what_there_is_may_well_be_empty(alerted):
    """A load without refused rows, a command that never ran, a rule that never fired or was removed."""
    with application(alerted.world.workspace.settings) as ask:
        alerted.world.looking.execute("UPDATE alert_rules SET removed_at = now()")
        for question in ("refused?load_id=1", "runs?command=backfill --provider", "alerts?rule=breakout",
                         "alerts?symbol=A"):  # fmt: skip
            answer = ask.get(f"/v1/{question}")
            assert (answer.status_code, answer.json()["rows"]) == (200, []), question


def test_in_a_stream_and_over_a_websocket(alerted):
    with served(alerted.world.workspace.settings) as address:
        socket = address.replace("http", "ws", 1)
        for question, named in (("rule=breakuot", "breakout"), ("symbol=A&symbol=TYPO", "TYPO")):
            answer = httpx.get(f"{address}/v1/events?{question}")
            assert answer.status_code == 404
            assert named in answer.json()["detail"]
            with pytest.raises(InvalidStatus) as refused, connect(f"{socket}/v1/events?{question}"):
                pass
            assert refused.value.response.status_code == 404
            assert named in json.loads(refused.value.response.body)["detail"]


def test_dates_the_wrong_way_round_are_refused_by_all_that_take_two(alerted):
    with application(alerted.world.workspace.settings) as ask:
        taken = [each.path for each in ENDPOINTS if {"start", "end"} <= set(each.model.model_fields)]
        assert len(taken) == 4
        for path in taken:
            answer = ask.get(path, params={"start": "2024-03-02", "end": "2024-03-01"})
            assert answer.status_code == 400, path
            assert answer.json()["detail"] == "start 2024-03-02 lies after end 2024-03-01"
