"""`condvest serve`, asked over a real socket."""

import datetime as dt
import io
import json
import signal
import socket

import httpx
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import condvest
from condvest.batch_layer.shared.settings import Settings
from tests.support.serving import serving


def arrow_of(answer):
    return pa.ipc.open_stream(answer.content).read_all().replace_schema_metadata(None)


QUESTIONS = [
    {},
    {"interval": 1, "symbol": "FB"},
    {"symbol": ["AAPL", "MSFT"], "interval": 34, "include_open": True},
    {"symbol": "IBM", "interval": 10, "start": "2008-09-15", "end": "2009-03-31"},
    {"symbol": "AAPL", "adjust": "none", "interval": 21},
    {"symbol": "MSFT", "adjust": "total", "interval": 5},
    {"symbol": "GOOG", "anchor": "listing", "interval": 8},
    {"end": "1999-12-31"},
]


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda asked: ",".join(asked) or "all")
def test_every_format_holds_what_python_gives_to_the_bit(client, settings, asked):
    given = {("symbols" if name == "symbol" else name): value for name, value in asked.items()}
    wanted = condvest.bars(**given, settings=settings)
    rows = json.loads(json.dumps(wanted.to_pylist(), default=str))
    parameters = {name: str(value).lower() if value is True else value for name, value in asked.items()}

    def get(shape):
        answer = client.get("/v1/bars", params=parameters | {"format": shape, "limit": 100_000})
        assert answer.status_code == 200, answer.text
        assert answer.headers["condvest-rows"] == str(len(wanted))
        return answer

    assert get("json").json()["rows"] == rows
    columns = get("columns").json()["columns"]
    assert [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] == rows
    assert [json.loads(line) for line in get("ndjson").text.splitlines()] == rows
    assert arrow_of(get("arrow")).equals(wanted)
    assert pq.read_table(io.BytesIO(get("parquet").content)).replace_schema_metadata(None).equals(wanted)
    assert condvest.bars(**given, source=str(client.base_url)).equals(wanted)


def test_everything_that_python_gives_comes_over_http_too(client, settings):
    """The same tables and frames, whichever source they are asked of."""
    asked = [
        (condvest.instruments, {}),
        (condvest.instruments, {"active": True}),
        (condvest.splits, {}),
        (condvest.splits, {"symbols": "AAPL", "end": "2004-12-31", "as_of": "2100-01-01"}),
        (condvest.dividends, {"symbols": ["IBM", "MSFT"], "start": dt.date(2010, 1, 4)}),
        (condvest.sessions, {"start": "2012-10-26", "end": "2012-11-01"}),
        (condvest.universe, {"date": "2010-01-04"}),
        (condvest.bars, {"unique_symbols": True, "interval": 34}),
    ]
    for ask, how in asked:
        assert ask(**how, source=str(client.base_url)).equals(ask(**how, settings=settings)), (ask, how)
    closes = condvest.panel("close", interval=21, adjust="total", source=str(client.base_url))
    pd.testing.assert_frame_equal(
        closes, condvest.panel("close", interval=21, adjust="total", settings=settings)
    )
    with pytest.raises(condvest.UnknownSymbol, match="did you mean IBM"):
        condvest.splits("IBN", source=str(client.base_url))
    with pytest.raises(condvest.UsageError, match="the daily bars reach from 2000-03-01 to 2013-03-01"):
        condvest.universe("2013-03-04", source=str(client.base_url))


def test_csv_is_what_the_command_line_writes(client, sample):
    written = sample.done("bars", "AAPL", "--interval", "21", "--format", "csv")
    assert client.get("/v1/bars?symbol=AAPL&interval=21&format=csv").text == written


def test_pages_are_one_answer(client, settings):
    rows, url, sizes = [], "/v1/bars?limit=200&interval=13", []
    while url:
        page = client.get(url).json()
        rows += page["rows"]
        sizes.append(page["count"])
        url = page["next"]
    assert sizes == [200, 200, 200, 200, 130]
    assert rows == json.loads(json.dumps(condvest.bars(settings=settings).to_pylist(), default=str))


def test_last_gives_the_newest_bars_of_each_symbol(client, settings):
    rows = client.get("/v1/bars?last=2&interval=5").json()["rows"]
    wanted = condvest.bars(interval=5, settings=settings).to_pylist()
    newest = [
        row
        for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT")
        for row in [w for w in wanted if w["symbol"] == symbol][-2:]
    ]
    assert [(row["symbol"], row["window"]) for row in rows] == [
        (row["symbol"], row["window"]) for row in newest
    ]


def test_an_answer_that_the_client_has_is_not_sent_again(client):
    first = client.get("/v1/bars?symbol=AAPL")
    again = client.get("/v1/bars?symbol=AAPL", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "condvest-version"):
        assert again.headers[name] == first.headers[name]
    other = client.get("/v1/bars?symbol=AAPL&format=csv", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_splits_dividends_symbols_and_sessions(client):
    assert client.get("/v1/splits?symbols=AAPL,MSFT&format=csv").text == (
        "symbol,ex_date,split_from,split_to,price_factor,volume_factor\n"
        "AAPL,2000-06-21,1.0,2.0,0.25,4.0\n"
        "AAPL,2005-02-28,1.0,2.0,0.5,2.0\n"
        "MSFT,2003-02-18,1.0,2.0,0.5,2.0\n"
    )
    dividends = client.get("/v1/dividends?symbol=AAPL&start=2012-08-01").json()["rows"]
    assert [(row["ex_date"], row["cash_amount"]) for row in dividends][:1] == [("2012-08-09", 2.65)]
    assert [row["symbol"] for row in client.get("/v1/symbols").json()["rows"]] == [
        "AAPL",
        "FB",
        "GOOG",
        "IBM",
        "MSFT",
    ]
    sessions = client.get("/v1/sessions?start=2012-10-26&end=2012-11-01").json()["rows"]
    assert [row["session"] for row in sessions] == ["2012-10-26", "2012-10-31", "2012-11-01"]


def test_what_the_command_line_reports(client, sample):
    assert client.get("/v1/gaps?format=csv").text == sample.done("gaps", "--format", "csv")
    history = client.get("/v1/history?symbol=IBM&session=2013-03-01").json()["rows"]
    assert [(row["close"], row["known_to"]) for row in history] == [(202.91, None)]
    assert client.get("/v1/refused").json()["rows"] == []
    assert "run --provider sample" in [row["command"] for row in client.get("/v1/runs").json()["rows"]]
    assert client.get("/v1/instruments?search=aap").json()["rows"][0]["symbol"] == "AAPL"
    assert client.get("/v1/version").json()["loaded_through"] == {"sample": "2013-03-01"}


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("bars?intervall=5", 400, "unknown parameter 'intervall'; did you mean interval?"),
        ("bars?start=", 400, "start is empty"),
        ("bars?end=2012-01-01&end=2013-01-01", 400, "end is given 2 times"),
        ("bars?interval=253", 400, "interval '253': expected at most 252"),
        ("bars?interval=5.5", 400, "interval '5.5'"),
        ("bars?start=1325376000", 400, "expected a date: 2024-07-31"),
        ("bars?start=2013-01-02&end=2013-01-01", 400, "start 2013-01-02"),
        ("bars?as_of=2013-01-01T10:00:00", 400, "needs a time zone"),
        ("bars?symbols=,", 400, "between the commas is empty"),
        ("bars?as_of=0001-01-01T00:00:00%2B14:00", 400, "expected an instant such as"),
        ("bars?cursor=xx", 400, "not one that this server gave"),
        ("bars?columns=close,clsoe", 400, "no column 'clsoe'"),
        ("bars?symbol=AAPLE", 404, "did you mean AAPL?"),
        ("bars?symbol=aapl", 404, "carries the symbol aapl"),
        ("bars?symbol=%3Cscript%3E", 404, "carries the symbol <script>"),
        ("bars?format=xml", 406, "choose one of json, columns, ndjson, csv, arrow, parquet"),
        ("history?symbol=IBM&session=2013-03-02", 400, "2013-03-02"),
        ("history", 400, "symbol"),
        ("nothing", 404, "there are /v1/bars"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_what_to_do(client, path, status, said):
    answer = client.get(f"/v1/{path}")
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in problem["detail"]
    assert problem["instance"] == answer.headers["x-request-id"]


def test_only_reading_is_allowed_and_only_for_this_host(client):
    assert client.post("/v1/splits").status_code == 405
    assert client.get("/v1/bars", headers={"Host": "evil.example"}).status_code == 403
    plain = {"Accept-Encoding": "identity"}
    head, whole = (client.request(method, "/v1/bars?symbol=IBM", headers=plain) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


def test_the_description_names_every_parameter(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {each["name"] for each in paths["/v1/bars"]["get"]["parameters"]} == {
        "symbol", "symbols", "interval", "start", "end", "last", "adjust", "anchor", "include_open", "as_of",
        "unique_symbols", "symbols_on",
        "format", "columns", "limit",
        "live", "cursor", "version", "source",
    }  # fmt: skip


ANYWHERE = "0.0.0.0"  # noqa: S104  # what the tests are about

LINES = [
    f"T,2024-06-{day:02},{day},{day + 1},{day - 1},{day},100" for day in (3, 4, 5, 6, 7, 10, 11, 12, 13, 14)
]


def test_a_page_belongs_to_the_first_though_a_load_came_between(fresh, prices):
    """And who asks anew after the load gets a new version, never a 304."""
    fresh.done("import", prices(*LINES))
    with serving(fresh) as client:
        before = client.get("/v1/bars?interval=1&limit=4")
        corrected = [line.replace(",100", ",999") for line in LINES]
        fresh.done("import", prices(*corrected))
        rows, url = before.json()["rows"], before.json()["next"]
        while url:
            page = client.get(url)
            assert page.headers["condvest-version"] == before.headers["condvest-version"]
            rows += page.json()["rows"]
            url = page.json()["next"]
        assert [row["volume"] for row in rows] == [100.0] * 10
        after = client.get("/v1/bars?interval=1&limit=4", headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200
        assert {row["volume"] for row in after.json()["rows"]} == {999.0}
        gaps = client.get("/v1/gaps?limit=1")
        assert gaps.json()["rows"] == []


def test_a_database_that_goes_away_is_503_and_comes_back(fresh, prices):
    fresh.done("import", prices(*LINES))
    with serving(fresh) as client:
        assert client.get("/v1/bars?interval=1").json()["count"] == 10
        name = fresh.url().rpartition("/")[2].partition("?")[0]
        admin = fresh.url().replace(f"/{name}?", "/postgres?")
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            answer = client.get("/v1/bars?interval=1&last=1")
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert name not in answer.text
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert client.get("/v1/bars?interval=1&last=1").json()["count"] == 1


def test_published_data_answer_the_same_without_the_database(fresh, tmp_path, prices):
    fresh.done("import", prices(*LINES))
    fresh.done("publish", "--to", tmp_path / "published")
    wanted = condvest.bars(interval=3, settings=Settings.from_env(fresh.environ))
    with serving(fresh, "--source", "published", "--from", tmp_path / "published") as client:
        answer = client.get("/v1/bars?interval=3&format=arrow")
        assert arrow_of(answer).equals(wanted)
        assert answer.headers["condvest-version"].startswith("p-")
        address = str(client.base_url)
        assert condvest.universe("2024-06-08", source=address)["symbol"].to_pylist() == ["T"]
        assert condvest.instruments(source=address)["symbol"].to_pylist() == ["T"]
        assert client.get("/v1/gaps").json()["count"] == 0
        assert client.get("/v1/bars?interval=3&as_of=1970-01-01").json()["count"] == 0
        assert arrow_of(client.get("/v1/bars?interval=3&as_of=2100-01-01&format=arrow")).equals(wanted)
        assert {row["provider"] for row in client.get("/v1/history?symbol=T").json()["rows"]} == {"file"}
        assert client.get("/v1/quality").json()["count"] == 0
        assert client.get("/v1/alerts").status_code == 501


def test_beyond_this_machine_a_key_is_needed(fresh, prices):
    fresh.done("import", prices(*LINES))
    refused = fresh("serve", "--host", ANYWHERE, "--port", "0")
    assert (refused.returncode, "condvest keys add" in refused.stderr) == (2, True)
    key = fresh.done("keys", "add", "desk").strip()
    try:
        with fresh.start("serve", "--host", ANYWHERE, "--port", "0") as process:
            try:
                _, line = (process.stderr.readline() for _ in range(2))
                port = line.partition(f"http://{ANYWHERE}:")[2].partition(" ")[0]
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                    answers = [
                        client.get("/v1/version", headers={"Authorization": f"Bearer {given}"}).status_code
                        for given in ("cv_", "cv_wrong", key)
                    ]
                    assert answers == [401, 401, 200]
                    assert client.get("/health/live").status_code == 200
                process.send_signal(signal.SIGINT)
                log = process.communicate(timeout=60)[1]
                assert '"key":"desk"' in log
                assert key not in log
            finally:
                process.kill()
    finally:
        fresh.done("keys", "remove", "desk")


def test_a_server_behind_a_proxy_needs_a_key_too(fresh, prices):
    """It listens on this machine, but others ask under the further name."""
    fresh.done("import", prices(*LINES))
    refused = fresh("serve", "--port", "0", "--host-name", "prices.example.org")
    assert (refused.returncode, "condvest keys add" in refused.stderr) == (2, True)
    key = fresh.done("keys", "add", "desk").strip()
    try:
        with fresh.start("serve", "--port", "0", "--host-name", "prices.example.org") as process:
            try:
                _, line = (process.stderr.readline() for _ in range(2))
                address = line.partition(" at ")[2].partition(" ")[0]
                with httpx.Client(base_url=address, headers={"Host": "prices.example.org"}) as client:
                    assert client.get("/v1/version").status_code == 401
                    given = {"Authorization": f"Bearer {key}"}
                    assert client.get("/v1/version", headers=given).status_code == 200
            finally:
                process.kill()
    finally:
        fresh.done("keys", "remove", "desk")


def test_a_place_of_published_data_without_their_source_is_refused(fresh, tmp_path):
    refused = fresh("serve", "--port", "0", "--from", tmp_path)
    assert (refused.returncode, "--from needs --source published" in refused.stderr) == (2, True)


def test_an_address_in_use_is_said(fresh, prices):
    fresh.done("import", prices(*LINES))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = fresh("serve", "--port", taken.getsockname()[1])
    assert refused.returncode == 2
    assert "choose another --port" in refused.stderr
