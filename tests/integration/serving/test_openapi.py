"""Whatever is asked, the answer is one that the OpenAPI document describes."""

import asyncio
import json
import random

import httpx
import pytest

from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.guarding.guards import Rules
from tests.support.requests import described_request

NEVER = (500, 503, 504)
"""Described, and no answer to a question while the database is there."""


@pytest.fixture(scope="module")
def get(sample):
    backend = DatabaseBackend(sample.workspace.settings)
    lines = []
    app = create_app(backend, Rules(), lines.append)

    def ask(path, pairs=()):
        async def run():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.get(path, params=list(pairs))

        answer = asyncio.run(run())
        return answer, json.loads(lines.pop())

    yield ask
    backend.close()


@pytest.fixture(scope="module")
def document(get):
    return get("/openapi.json")[0].json()


def check(get, document, seed):
    path, pairs = described_request(document, random.Random(seed))
    answer, line = get(path, pairs)
    described = document["paths"][path]["get"]["responses"]
    assert answer.status_code not in NEVER, (answer.text, line)
    assert str(answer.status_code) in described, answer.text
    media = answer.headers["content-type"].partition(";")[0]
    assert media in described[str(answer.status_code)].get("content", {media: None})
    assert (line["status"], line["path"]) == (answer.status_code, path)
    assert answer.headers["x-request-id"] == line["id"]
    if answer.status_code != 200:
        problem = answer.json()
        assert (problem["status"], problem["instance"]) == (answer.status_code, line["id"])
        assert problem["type"].startswith("/problems/")
        assert problem["detail"]
    elif media == "application/json" and "rows" in answer.json():
        assert (
            answer.headers["condvest-rows"] == str(answer.json()["count"]) == str(len(answer.json()["rows"]))
        )


def test_every_answer_is_described(get, document):
    for seed in range(120):
        check(get, document, seed)


@pytest.mark.long
def test_every_answer_is_described_for_long(get, document):
    for seed in range(120, 20_000):
        check(get, document, seed)


def test_the_document_is_of_openapi_3_1_and_names_every_path(document):
    assert document["openapi"].startswith("3.1")
    for path, item in document["paths"].items():
        assert item["get"]["summary"], path
    for path in ("/v1/bars", "/v1/screen", "/v1/datasets/{name}/{file}", "/health/ready"):
        assert path in document["paths"]
