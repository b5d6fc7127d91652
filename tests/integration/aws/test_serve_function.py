"""The function of the HTTP API: the published data set in a bucket, asked through the gateway's events."""

import asyncio
import base64
import datetime as dt
import io
import json

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from massive import RESTClient

from condvest.serving_layer.aws import serve_function
from tests.support.aws.emulated import BUCKET, configured, emulated_aws, fresh_bucket
from tests.support.aws.http_api import HOST, LARGEST_PAYLOAD, content_of, event_of, serving
from tests.support.publishing import files_of, from_database

ARROW = {"accept": "application/vnd.apache.arrow.stream"}


@pytest.fixture(scope="module")
def bucket(sample_target):
    """The sample's published data set in a bucket, and the function's settings."""
    with pytest.MonkeyPatch.context() as patch, emulated_aws() as endpoint, configured(patch, endpoint):
        s3 = fresh_bucket(endpoint)
        for path, content in files_of(sample_target).items():
            s3.put_object(Bucket=BUCKET, Key=f"published/{path}", Body=content)
        patch.setenv("CONDVEST_PUBLISHED", f"s3://{BUCKET}/published")
        patch.setenv("CONDVEST_SERVE_HOSTS", f"{HOST}, data.example.com")
        serve_function._adapter.cache_clear()
        loop = asyncio.new_event_loop()  # as the main thread of a function has one
        asyncio.set_event_loop(loop)
        yield s3
        loop.close()
        asyncio.set_event_loop(None)
        serve_function._adapter.cache_clear()


@pytest.fixture
def ask(bucket):  # noqa: ARG001  # it has to be there
    def asked(target, method="GET", **headers):
        given = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = serve_function.handler(event_of(method, target, given), None)
        assert len(json.dumps(answer)) <= LARGEST_PAYLOAD
        return answer["statusCode"], answer["headers"], content_of(answer)

    return asked


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("/v1/bars?symbol=IBM&interval=13", {"symbols": ["IBM"], "interval": 13}),
        ("/v1/bars?symbol=AAPL&symbol=MSFT&interval=21&adjust=total&include_open=true",
         {"symbols": ["AAPL", "MSFT"], "interval": 21, "adjust": "total", "include_open": True}),
        ("/v1/bars?symbol=AAPL&interval=7&adjust=none&start=2010-01-01&end=2012-12-31",
         {"symbols": ["AAPL"], "interval": 7, "adjust": "none",
          "start": dt.date(2010, 1, 1), "end": dt.date(2012, 12, 31)}),
    ],
)  # fmt: skip
def test_bars_are_those_of_the_database_to_the_bit(ask, sample, target, asked):
    status, headers, content = ask(target, **ARROW)
    assert status == 200
    assert headers["condvest-version"].startswith("p-")
    assert pa.ipc.open_stream(content).read_all().equals(from_database(sample, **asked))


def test_what_was_known_before_anything_was_loaded_is_answered_too(ask):
    status, _, content = ask("/v1/bars?symbol=IBM&interval=13&as_of=2000-01-01T00:00:00Z")
    assert (status, json.loads(content)["rows"]) == (200, [])


@pytest.mark.parametrize(
    "target",
    [
        "splits",
        "dividends",
        "sessions?start=2012-01-01&end=2012-12-31",
        "gaps",
        "history?symbol=IBM",
        "screen",
    ],
)
def test_what_the_page_on_deployment_lists_is_answered_as_rows(ask, target):
    status, _, content = ask(f"/v1/{target}")
    assert status == 200, content
    assert set(json.loads(content)) >= {"rows", "version"}
    assert json.loads(content)["rows"] or target == "gaps"


def test_an_answer_that_the_client_has_is_not_sent_again(ask):
    _, headers, _ = ask("/v1/splits")
    status, _, content = ask("/v1/splits", if_none_match=headers["etag"])
    assert (status, content) == (304, b"")


def test_a_text_may_come_compressed(ask):
    plain = ask("/v1/bars?symbol=IBM")[2]
    status, headers, content = ask("/v1/bars?symbol=IBM", accept_encoding="gzip")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert httpx.Response(200, headers={"content-encoding": "gzip"}, content=content).json() == json.loads(
        plain
    )


def test_what_lambda_would_not_pass_on_is_refused_with_what_to_ask(ask, monkeypatch):
    """The sample has 12,154 daily bars, 2.8 MB as rows of JSON: here the bound is one of 2 MB."""
    monkeypatch.setattr(serve_function, "LARGEST", 2_000_000)
    serve_function._adapter.cache_clear()
    every = "/v1/bars?symbol=AAPL&symbol=IBM&symbol=MSFT&symbol=GOOG&symbol=FB&interval=1"
    status, headers, content = ask(every, accept="application/x-ndjson")
    assert (status, headers["content-type"]) == (413, "application/problem+json")
    assert "at most 2,000,000 at once" in json.loads(content)["detail"]
    assert "/v1/datasets" in json.loads(content)["detail"]
    packed = ask(every, accept="application/x-ndjson", accept_encoding="gzip")
    assert (packed[0], packed[1]["content-encoding"]) == (200, "gzip")
    status, _, content = ask(f"{every}&limit=1000")
    assert (status, len(json.loads(content)["rows"])) == (200, 1000)
    serve_function._adapter.cache_clear()


def test_the_bound_is_within_what_lambda_passes_on():
    """As base64, and as a text of which every fifth character is a quotation mark."""
    content = bytes(serve_function.LARGEST)
    assert len(base64.b64encode(content)) + 10_000 < LARGEST_PAYLOAD
    assert len(json.dumps('"1234' * (serve_function.LARGEST // 5))) + 10_000 < LARGEST_PAYLOAD


def test_a_published_file_comes_from_the_bucket_by_a_signed_address(ask):
    files = json.loads(ask("/v1/datasets/bars_13")[2])["files"]
    status, headers, content = ask(files[0]["url"])
    assert (status, content, headers["cache-control"]) == (307, b"", "no-store")
    address = httpx.URL(headers["location"])
    assert address.params["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert address.params["X-Amz-Expires"] == "900"
    fetched = httpx.get(address)
    assert pq.read_table(io.BytesIO(fetched.content)).num_rows == files[0]["rows"]
    # Whoever wants to know its size first is told here: the address is signed for GET alone.
    status, headers, _ = ask(files[0]["url"], "HEAD")
    assert (status, headers["content-length"]) == (200, str(files[0]["bytes"]))
    assert ask(f"{files[0]['url']}x")[0] == 404


def test_the_page_is_served_and_is_open(ask):
    status, headers, content = ask("/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    scripts = [word.split('"')[0] for word in content.decode().split('src="')[1:]]
    assert scripts
    for script in scripts:
        assert ask(script if script.startswith("/") else f"/{script}")[0] == 200


@pytest.mark.parametrize(
    ("target", "method", "headers", "status"),
    [
        ("/v1/bars?symbol=IBM", "GET", {"host": "evil.example"}, 403),
        ("/v1/bars?symbol=IBM", "GET", {"host": "data.example.com"}, 200),
        ("/v1/splits?symbol=IBM", "POST", {}, 405),
        ("/v1/bars?symbol=NOSUCH", "GET", {}, 404),
        ("/v1/bars?symbol=IBM&intervall=3", "GET", {}, 400),
        ("/v1/bars?symbol=IBM&interval=3&interval=5", "GET", {}, 400),
        ("/v1/alerts", "GET", {}, 501),
        ("/nothing", "GET", {}, 404),
    ],
)
def test_other_questions(ask, target, method, headers, status):
    told, answer_headers, content = ask(target, method, **headers)
    assert told == status
    assert status == 200 or answer_headers["content-type"] == "application/problem+json"
    assert json.loads(content)


@pytest.mark.usefixtures("bucket")
def test_the_vendors_own_client_backfills_from_it(sample):
    with serving(lambda event: serve_function.handler(event, None)) as address:
        client = RESTClient("any", base=address, retries=0)
        told = list(client.list_aggs("IBM", 13, "day", "1990-01-01", "2010-12-31", limit=50))
    wanted = from_database(sample, symbols=["IBM"], interval=13).to_pylist()
    within = [row for row in wanted if row["first_session"] <= dt.date(2010, 12, 31)]
    assert len(within) > 200
    assert [(bar.open, bar.close, bar.volume) for bar in told] == [
        (row["open"], row["close"], row["volume"]) for row in within
    ]


def test_a_data_set_that_is_not_there_is_an_answer(ask, bucket):
    kept = bucket.get_object(Bucket=BUCKET, Key="published/manifest.json")["Body"].read()
    bucket.delete_object(Bucket=BUCKET, Key="published/manifest.json")
    try:
        status, _, content = ask("/v1/bars?symbol=IBM")
    finally:
        bucket.put_object(Bucket=BUCKET, Key="published/manifest.json", Body=kept)
    assert (status, json.loads(content)["type"].rpartition("/")[2]) == (503, "unavailable")
    assert ask("/v1/bars?symbol=IBM")[0] == 200
