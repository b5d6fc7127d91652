"""`condvest serve --sql`: statements over HTTP."""

import io
import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.serving import serving

HIGHEST = (
    "SELECT symbol, max(high) AS high, count(*) AS bars FROM bars_13 JOIN instruments USING (instrument_id) "
    "GROUP BY symbol ORDER BY symbol"
)


@pytest.fixture(scope="module")
def client(sample, tmp_path_factory):
    place = tmp_path_factory.mktemp("published")
    sample.done("publish", "--to", place)
    with serving(sample, "--source", "published", "--from", place, "--sql") as one:
        yield one


def ask(client, statement, **options):
    return client.post("/v1/sql", content=statement, headers={"Content-Type": "text/plain"}, **options)


def test_every_format_holds_the_same_rows(client):
    answer = ask(client, HIGHEST)
    told = answer.json()
    bars = client.get("/v1/bars?interval=13&include_open=true&adjust=none&limit=100000").json()["rows"]
    wanted = [
        {
            "symbol": symbol,
            "high": max(row["high"] for row in bars if row["symbol"] == symbol),
            "bars": sum(row["symbol"] == symbol for row in bars),
        }
        for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    ]
    assert (told["rows"], told["count"]) == (wanted, 5)
    assert (
        told["version"] == answer.headers["condvest-version"] == client.get("/v1/version").json()["version"]
    )
    assert answer.headers["cache-control"] == "no-store"

    def get(shape):
        each = ask(client, HIGHEST, params={"format": shape})
        assert each.headers["condvest-rows"] == "5"
        return each

    columns = get("columns").json()["columns"]
    assert [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] == wanted
    assert [json.loads(line) for line in get("ndjson").text.splitlines()] == wanted
    assert pa.ipc.open_stream(get("arrow").content).read_all().to_pylist() == wanted
    assert pq.read_table(io.BytesIO(get("parquet").content)).to_pylist() == wanted
    lines = [",".join(map(str, row.values())) for row in wanted]
    assert get("csv").text.splitlines() == ["symbol,high,bars", *lines]


@pytest.mark.parametrize(
    ("statement", "status", "kind", "said"),
    [
        ("SELECT * FROM bars_14", 400, "bad-statement", "bars_14 does not exist"),
        ("SELECT 1; SELECT 2", 400, "bad-statement", "expected one SELECT"),
        ("SELECT * FROM read_csv('/etc/hostname')", 400, "bad-statement", "disabled by configuration"),
        ("SELECT 'Zürich", 400, "bad-statement", "unterminated"),
        ("", 400, "bad-request", "the body is empty"),
        (b"\xff", 400, "bad-request", "not UTF-8"),
        ("SELECT * FROM range(100001)", 413, "too-large", "more than 100000 rows"),
        ("SELECT " + "1" * 30_000, 400, "bad-statement", "30007 characters"),
        ("SELECT " + "1" * 70_000, 413, "too-large", "more than 65536 bytes"),
    ],
    ids=["unknown", "two", "file", "syntax", "empty", "bytes", "rows", "long", "longest"],
)
def test_what_is_refused_is_a_problem_that_says_why(client, statement, status, kind, said):
    answer = ask(client, statement)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{kind}")
    assert said in problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_parameters_are_checked(client):
    assert ask(client, "SELECT 1", params={"fromat": "csv"}).json()["near"] == ["format"]
    assert ask(client, "SELECT 1", params={"format": "xml"}).status_code == 406
    asked_by_get = client.get("/v1/sql")
    assert (asked_by_get.status_code, "as the body of a POST" in asked_by_get.json()["detail"]) == (405, True)
    assert asked_by_get.headers["allow"] == "POST"


def test_no_page_of_another_site_may_ask(client):
    """A browser sends plain text to any address, without asking before."""
    elsewhere = client.post("/v1/sql", content="SELECT 1", headers={"Origin": "https://evil.example"})
    assert (elsewhere.status_code, elsewhere.json()["type"]) == (403, "/problems/forbidden")
    own = client.post("/v1/sql", content="SELECT 1", headers={"Origin": str(client.base_url).rstrip("/")})
    assert own.status_code == 200


def test_the_description_has_it(client):
    (method,) = client.get("/openapi.json").json()["paths"]["/v1/sql"].items()
    assert (method[0], method[1]["requestBody"]["required"]) == ("post", True)


def test_it_is_off_unless_it_is_asked_for_and_needs_something_published(sample, fresh, prices, tmp_path):
    with serving(sample) as client:
        assert ask(client, "SELECT 1").status_code == 405
        assert "/v1/sql" not in client.get("/openapi.json").json()["paths"]
    fresh.done("import", prices("T,2024-06-03,5,6,4,5,100"))
    unpublished = replace(fresh, env={**fresh.env, "CONDVEST_PUBLISHED": str(tmp_path / "none")})
    with serving(unpublished, "--sql") as client:
        answer = ask(client, "SELECT 1")
        assert (answer.status_code, "run condvest publish" in answer.json()["detail"]) == (501, True)
