"""The emulated bucket gives a gzipped CSV a session, by plan and by time, and says when it changed."""

import csv
import datetime as dt
import gzip
import xml.etree.ElementTree as ET

import pytest

from tests.support.emulators.massive import MassiveEmulator
from tests.support.emulators.probe import ask
from tests.support.emulators.synthetic.market import Market

NOW = dt.datetime(2024, 7, 10, 16, 0, tzinfo=dt.UTC)
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=k/20240710/us-east-1/s3/aws4_request, Signature=0"}
S3 = {"s3": "http://s3.amazonaws.com/doc/2006-03-01/"}


@pytest.fixture
def emulator(small_market):
    with MassiveEmulator(small_market, now=NOW) as running:
        yield running


def path(session):
    return f"/flatfiles/us_stocks_sip/day_aggs_v1/{session:%Y/%m}/{session}.csv.gz"


def fetch(emulator, target, method="GET", **headers):
    return ask(emulator.url, target, method=method, headers=SIGNED | headers)


def test_a_file_holds_the_session_unadjusted_by_ticker(emulator, small_market):
    session = dt.date(2024, 3, 5)
    text = gzip.decompress(fetch(emulator, path(session)).body).decode()
    assert text.splitlines()[0] == "ticker,volume,open,close,high,low,window_start,transactions"
    rows = list(csv.DictReader(text.splitlines()))
    true = small_market.bars(session, NOW, source="file")
    assert [row["ticker"] for row in rows] == sorted(true.symbol)
    told = {row["ticker"]: row for row in rows}
    for place, symbol in enumerate(true.symbol):
        row = told[symbol]
        for name in ("open", "high", "low", "close", "volume"):
            assert float(row[name]) == getattr(true, name)[place]
        assert int(row["transactions"]) == true.trades[place] >= 1


def test_window_start_is_midnight_in_new_york_in_nanoseconds():
    """The vendor's own example: 2023-03-13, the first session after the change to summer time."""
    market = Market(instruments=30, first_session=dt.date(2023, 3, 10), last_session=dt.date(2023, 3, 14))
    with MassiveEmulator(market, now=NOW) as emulator:
        text = gzip.decompress(fetch(emulator, path(dt.date(2023, 3, 13))).body).decode()
    assert {row["window_start"] for row in csv.DictReader(text.splitlines())} == {"1678680000000000000"}


def test_a_corrected_file_has_another_etag_and_an_unchanged_one_the_same(emulator, small_market):
    session = next(
        day
        for day in small_market.sessions()
        if any(
            one["published_at"] > f"{day + dt.timedelta(days=2)}" for one in small_market.revisions_of(day)
        )
    )
    last = max(dt.datetime.fromisoformat(one["published_at"]) for one in small_market.revisions_of(session))
    emulator.knobs.update({"now": last - dt.timedelta(minutes=1)})
    before = fetch(emulator, path(session))
    again = fetch(emulator, path(session))
    emulator.knobs.update({"now": last})
    after = fetch(emulator, path(session))
    assert before.headers["etag"] == again.headers["etag"] != after.headers["etag"]
    assert before.body == again.body != after.body
    assert fetch(emulator, path(session), **{"If-None-Match": after.headers["etag"]}).status == 304
    assert fetch(emulator, path(session), **{"If-None-Match": before.headers["etag"]}).status == 200


def test_head_tells_size_and_etag_without_the_bytes(emulator):
    whole = fetch(emulator, path(dt.date(2024, 3, 5)))
    head = fetch(emulator, path(dt.date(2024, 3, 5)), method="HEAD")
    assert head.body == b""
    assert head.headers["content-length"] == str(len(whole.body))
    assert head.headers["etag"] == whole.headers["etag"]


def test_a_range_of_bytes_can_be_had(emulator):
    whole = fetch(emulator, path(dt.date(2024, 3, 5))).body
    part = fetch(emulator, path(dt.date(2024, 3, 5)), Range="bytes=100-199")
    assert (part.status, part.body) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert fetch(emulator, path(dt.date(2024, 3, 5)), Range="bytes=99999999-").status == 416


def test_a_file_is_there_from_eleven_on_the_day_after(emulator):
    emulator.knobs.update({"now": "2024-03-06T15:59:00+00:00"})
    missing = fetch(emulator, path(dt.date(2024, 3, 5)))
    assert missing.status == 404
    assert b"<Code>NoSuchKey</Code>" in missing.body
    emulator.knobs.update({"now": "2024-03-06T16:00:00+00:00"})
    assert fetch(emulator, path(dt.date(2024, 3, 5))).status == 200


@pytest.mark.parametrize(
    "target",
    [
        path(dt.date(2024, 6, 19)),
        "/flatfiles/us_stocks_sip/day_aggs_v1/2024/04/2024-03-05.csv.gz",
        "/flatfiles/us_stocks_sip/day_aggs_v1/2024/03/2024-03-99.csv.gz",
        "/other/us_stocks_sip/day_aggs_v1/2024/03/2024-03-05.csv.gz",
    ],
)
def test_what_there_is_not_is_404(emulator, target):
    assert fetch(emulator, target).status == 404


def test_an_unsigned_call_and_a_plan_without_files_are_403(emulator):
    unsigned = ask(emulator.url, path(dt.date(2024, 3, 5)))
    assert unsigned.status == 403
    assert b"<Code>AccessDenied</Code>" in unsigned.body
    emulator.knobs.update({"plan": "basic"})
    assert fetch(emulator, path(dt.date(2024, 3, 5))).status == 403


def test_a_session_before_the_plans_years_is_403_and_not_listed(emulator):
    emulator.knobs.update({"plan": "starter", "now": "2029-03-05T17:00:00+00:00"})
    assert fetch(emulator, path(dt.date(2024, 3, 4))).status == 403
    assert fetch(emulator, path(dt.date(2024, 3, 5))).status == 200
    listed = fetch(emulator, "/flatfiles?list-type=2&prefix=us_stocks_sip/day_aggs_v1/2024/03/").body
    assert b"2024-03-04.csv.gz" not in listed
    assert b"2024-03-05.csv.gz" in listed


def test_the_listing_is_paged_and_complete_with_true_sizes_and_etags(emulator, small_market):
    found, token, calls = [], None, 0
    while calls == 0 or token:
        target = "/flatfiles?list-type=2&max-keys=8&prefix=us_stocks_sip/day_aggs_v1/2024/03/"
        answer = fetch(emulator, target + (f"&continuation-token={token}" if token else ""))
        page = ET.fromstring(answer.body)  # noqa: S314 the emulator's own answer
        found += page.findall("s3:Contents", S3)
        token = page.findtext("s3:NextContinuationToken", None, S3)
        assert page.findtext("s3:IsTruncated", None, S3) == ("true" if token else "false")
        calls += 1
    march = [session for session in small_market.sessions() if session.month == 3]
    assert calls == 3
    assert [f"/flatfiles/{one.findtext('s3:Key', None, S3)}" for one in found] == [path(day) for day in march]
    whole = fetch(emulator, path(march[0]))
    assert found[0].findtext("s3:ETag", None, S3) == whole.headers["etag"]
    assert int(found[0].findtext("s3:Size", None, S3)) == len(whole.body)
