"""What stands on every answer, what is counted, and questions that come as a body."""

import json
import re

import pyarrow as pa
import pytest

from condvest.serving_layer.http.guarding.guards import Rules
from tests.support.asked import application

MORE = "/v1/bars?symbol=AAPL&limit=10"


@pytest.fixture(scope="module")
def app(sample):
    with application(sample.workspace.settings) as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", MORE), ("HEAD", MORE), ("GET", "/v1/status"), ("GET", "/v1/bars?symbol=NONE"),
     ("GET", "/nothing"), ("GET", "/"), ("GET", "/health/live"), ("GET", "/udf/config"),
     ("GET", "/v2/aggs/ticker/IBM/prev"), ("GET", "/metrics"), ("DELETE", MORE), ("POST", "/v1/bars")],
)  # fmt: skip
def test_every_answer_has_an_id_and_says_where_the_time_went(app, method, path):
    answer = app(method, path)
    line = app.lines[-1]
    assert answer.headers["x-request-id"] == line["id"]
    steps = re.fullmatch(
        r"wait;dur=([\d.]+), read;dur=([\d.]+), encode;dur=([\d.]+)", answer.headers["server-timing"]
    )
    wait, read, encode = map(float, steps.groups())
    assert 0 <= wait + read + encode <= line["ms"] + 0.01


def test_where_the_time_went_is_what_was_done(app):
    made = app.get("/v1/bars?symbol=AAPL&interval=7").headers["server-timing"]
    assert not re.search(r"(read|encode);dur=0\.000", made)
    assert app.lines[-1]["kept"] is False
    kept = app.get("/v1/bars?symbol=AAPL&interval=7")
    assert (kept.status_code, app.lines[-1]["kept"]) == (200, True)
    assert "read;dur=0.000, encode;dur=0.000" in kept.headers["server-timing"]
    has = {"If-None-Match": kept.headers["etag"]}
    assert app.get("/v1/bars?symbol=AAPL&interval=7", headers=has).status_code == 304
    assert app.lines[-1]["kept"] is True


def asked(app, **fields):
    return app("POST", "/v1/bars", json=fields)


@pytest.mark.parametrize("shape", ["json", "columns", "csv", "arrow", "parquet", "ndjson"])
def test_a_body_asks_what_a_url_asks(app, shape):
    """Save for what says the next page."""
    got = asked(app, symbol=["AAPL", "IBM"], interval=5, start="2010-01-04", include_open=True, format=shape)
    wanted = app.get(
        f"/v1/bars?symbols=AAPL,IBM&interval=5&start=2010-01-04&include_open=true&format={shape}"
    )
    told, whole = got.content, wanted.content
    if shape in ("json", "columns"):
        told, whole = told.replace(b'"cursor":null', b""), whole.replace(b'"next":null', b"")
    assert (got.status_code, told) == (200, whole)
    assert got.headers["condvest-version"] == wanted.headers["condvest-version"]
    assert got.headers["cache-control"] == "no-store"
    assert "etag" not in got.headers


def test_a_tag_of_the_same_question_is_no_answer_to_a_body(app):
    tag = app.get("/v1/bars?symbol=IBM").headers["etag"]
    again = app("POST", "/v1/bars", json={"symbol": ["IBM"]}, headers={"If-None-Match": tag})
    assert again.status_code == 200


def test_the_pages_of_a_body_follow_by_its_cursor(app):
    fields = {"symbols": "AAPL,IBM", "interval": 13, "limit": 300}
    rows, pages = [], 0
    while True:
        page = asked(app, **fields).json()
        rows += page["rows"]
        pages += 1
        assert "next" not in page
        if page["cursor"] is None:
            break
        fields["cursor"] = page["cursor"]
    assert pages > 1
    assert rows == app.get("/v1/bars?symbols=AAPL,IBM&limit=100000").json()["rows"]
    lines = asked(app, symbol="IBM", format="csv", limit=3)
    assert lines.headers["condvest-cursor"]
    assert "link" not in lines.headers


def test_a_long_list_of_symbols_fits(app):
    """A thousand symbols with commas and slashes in them, of which a list has no doubt."""
    names = [f"NONE/{number},{number}" for number in range(999)]
    answer = asked(app, symbol=["IBM", *names])
    assert (answer.status_code, answer.json()["symbols"][0]) == (404, names[0])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"symbl": ["IBM"]}', "did you mean symbol"),
        (b'{"symbol": []}', "empty list"),
        (b'{"symbol": [""]}', "symbol is empty"),
        (b'{"symbol": [["IBM"]]}', "a list"),
        (b'{"symbol": null}', "symbol is null"),
        (b'{"interval": {"n": 13}}', "an object"),
        (b'{"interval": [1, 3]}', "given 2 times"),
        (b'{"interval": 13.5}', "interval"),
        (b'{"interval": 13, "interval": "x"}', "interval"),
        (b'{"symbol": "IBM", "cursor": "x"}', "cursor"),
        (b"\xff", "no JSON"),
        (b'{"interval": NaN}', "no JSON"),
    ],
)
def test_a_body_that_makes_no_question_is_refused_with_what_was_expected(app, body, said):
    answer = app("POST", "/v1/bars", content=body)
    assert (answer.status_code, said in answer.json()["detail"]) == (400, True), answer.text


def test_a_body_beyond_the_bound_is_refused(app):
    answer = asked(app, symbol=["X" * 32] * 2_000)
    assert (answer.status_code, "65536 bytes" in answer.json()["detail"]) == (413, True)


def test_a_body_beside_a_query_and_one_to_another_path_are_refused(app):
    assert app("POST", "/v1/bars?interval=3", json={}).status_code == 400
    assert app("POST", "/v1/splits", json={}).status_code == 405


def test_a_page_of_another_site_may_not_send_a_body(app):
    answer = app("POST", "/v1/bars", json={"symbol": "IBM"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? [0-9.e+-]+')
"""A sample in Prometheus's text form, as far as it is used here."""


def samples(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_metrics_count_what_was_asked(sample):
    with application(sample.workspace.settings) as app:
        rows = sum(int(app.get("/v1/bars?symbol=IBM").headers["condvest-rows"]) for _ in range(3))
        app.get("/v1/bars?symbol=NONE")
        app.get("/v1/datasets/bars_13/2020-0123456789abcdef.parquet")
        for number in range(5):
            app.get(f"/no/such%22/{number}%0A")
        answer = app.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    told = samples(answer.text)
    assert told['condvest_requests_total{path="/v1/bars",status="200"}'] == 3
    assert told['condvest_requests_total{path="/v1/bars",status="404"}'] == 1
    assert told['condvest_requests_total{path="other",status="404"}'] == 5
    assert told['condvest_kept_answers_total{path="/v1/bars"}'] == 2
    assert told['condvest_sent_rows_total{path="/v1/bars"}'] == rows
    assert told['condvest_request_seconds_count{path="/v1/bars"}'] == 4
    assert told['condvest_request_seconds_bucket{path="/v1/bars",le="+Inf"}'] == 4
    assert 'condvest_requests_total{path="/v1/datasets/{name}/{file}",status="501"}' in told
    assert told["process_cpu_seconds_total"] > 0
    heads = re.findall(r"^# TYPE (\S+) (counter|gauge|histogram)$", answer.text, re.MULTILINE)
    assert len(heads) == len(re.findall(r"^# HELP ", answer.text, re.MULTILINE)) == len(dict(heads))


def test_the_metrics_are_told_to_this_machine_alone(sample):
    rules = Rules(hosts=("127.0.0.1", "data.example"))
    with application(sample.workspace.settings, rules=rules) as near:
        assert near.get("/metrics").status_code == 200
        assert near.get("/metrics", headers={"X-Forwarded-For": "10.0.0.7"}).status_code == 403
        assert near.get("/metrics", base="http://data.example").status_code == 403
    with application(sample.workspace.settings, rules=rules, client=("10.0.0.7", 1)) as far:
        answer = far.get("/metrics")
        assert (answer.status_code, "this machine alone" in answer.json()["detail"]) == (403, True)


def test_a_body_is_described(app):
    paths = json.loads(app.get("/openapi.json").text)["paths"]
    schema = paths["/v1/bars"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    names = {each["name"] for each in paths["/v1/bars"]["get"]["parameters"]}
    assert set(schema["properties"]) == names
    assert "text/plain" in paths["/metrics"]["get"]["responses"]["200"]["content"]


@pytest.mark.parametrize(
    "path", ["/v1/bars", "/v1/splits", "/v1/dividends", "/v1/instruments", "/v1/universe"]
)
def test_what_was_asked_of_the_past_stands_beside_the_rows(app, path):
    """A date is its end; in every format, and null where the present was asked for."""
    on = "&on=2010-01-04" if path == "/v1/universe" else ""
    past, now = f"{path}?as_of=2099-07-31{on}", f"{path}?{on[1:]}"
    instant = "2099-07-31T23:59:59.999999Z"
    said = app.get(f"{past}&limit=1")
    assert (said.json()["as_of"], said.headers["condvest-as-of"]) == (instant, instant)
    assert app.get(f"{path}?as_of={instant}{on}&limit=1").json()["rows"] == said.json()["rows"]
    assert app.get(f"{past}&format=csv&limit=1").headers["condvest-as-of"] == instant
    schema = pa.ipc.open_stream(app.get(f"{past}&format=arrow&limit=1").content).schema
    assert json.loads(schema.metadata[b"condvest.as_of"]) == instant
    present = app.get(now)
    assert (present.json()["as_of"], "condvest-as-of" in present.headers) == (None, False)


@pytest.mark.parametrize("adjust", ["none", "splits", "total"])
def test_how_prices_are_adjusted_stands_beside_the_rows(app, adjust):
    assert app.get(f"/v1/bars?symbol=IBM&limit=1&adjust={adjust}").json()["adjust"] == adjust
    assert app.get("/v1/bars?symbol=IBM&limit=1").json()["adjust"] == "splits"
    assert "adjust" not in app.get("/v1/splits").json()
