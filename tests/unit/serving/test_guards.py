"""What stands before every request."""

import asyncio
import datetime as dt
import json

import httpx
import pytest

from condvest.serving_layer.access import Keys
from condvest.serving_layer.http.answers.problems import Gone
from condvest.serving_layer.http.guarding.guards import Guards, Rules
from condvest.serving_layer.http.guarding.hosts import TARGET
from condvest.serving_layer.http.guarding.log import FAILURE

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
SITE = "https://pro.openbb.co"


async def _fails(scope, _receive, send):
    scope[FAILURE] = Gone("what the log has to hold")
    await send({"type": "http.response.start", "status": 410, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def asked(tmp_path):
    """Ask a guarded application that wants a key, and give the answer and the line of log."""

    def ask(method, **headers):
        lines = []
        rules = Rules(keys=Keys.of_home(tmp_path), origins=(SITE,))
        key = rules.keys.add("desk", NOW)

        async def run():
            transport = httpx.ASGITransport(Guards(_fails, rules, lines.append))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8400") as client:
                named = {name.replace("_", "-"): value.replace("KEY", key) for name, value in headers.items()}
                return await client.request(method, "/v1/bars", headers=named)

        answer = asyncio.run(run())
        return answer, json.loads(lines[0])

    return ask


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_log_holds_why_a_request_failed(asked, method):
    answer, line = asked(method, authorization="Bearer KEY")
    assert (answer.status_code, line["status"], line["method"]) == (410, 410, method)
    assert line["error"] == "what the log has to hold"


def test_a_page_of_an_allowed_site_may_ask_what_it_may_send(asked):
    """A browser sends no key with this question, and the key only after its answer."""
    answer, line = asked("OPTIONS", origin=SITE, access_control_request_method="GET")
    assert (answer.status_code, answer.content, line["status"]) == (204, b"", 204)
    assert answer.headers["access-control-allow-origin"] == SITE
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example", "access_control_request_method": "GET"}, 405),
        ({"origin": SITE, "access_control_request_method": "DELETE"}, 405),
        ({"origin": SITE}, 405),
        ({"origin": SITE, "access_control_request_method": "GET", "host": "evil.example"}, 403),
    ],
)
def test_no_other_preflight_is_answered(asked, headers, status):
    answer, _ = asked("OPTIONS", **headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/v1/version", 410),
        (b"http://127.0.0.1:8400/v1/version", 410),
        (b"http://localhost", 410),
        (b"http://other.example/v1/version", 403),
        (b"http://localhost@other.example/v1/version", 403),
        (b"http://other.example?@localhost/", 403),
        (b"other.example:80", 403),
    ],
)
@pytest.mark.parametrize("name", [TARGET, "raw_path"])
def test_a_host_in_the_line_of_a_request_has_to_be_ours(name, target, status):
    """In either place where a server leaves it: h11 keeps the whole line in ``raw_path``."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/v1/version", "query_string": b""}
    scope |= {"headers": [(b"host", b"127.0.0.1:8400")], name: target}
    asyncio.run(Guards(_fails, Rules(), lambda _: None)(scope, None, send))
    assert sent[0]["status"] == status
