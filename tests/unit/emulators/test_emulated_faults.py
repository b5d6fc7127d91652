"""Each of the twenty faults can be seen on the wire, one by one and at random."""

import datetime as dt
import gzip
import http.client
import json
import time

import pytest

from tests.support.emulators.faults import Fault
from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.probe import ask

NOW = dt.datetime(2024, 7, 10, 16, 0, tzinfo=dt.UTC)
SESSION = "/v2/aggs/grouped/locale/us/market/stocks/2024-03-05?adjusted=false"


@pytest.fixture(scope="module")
def emulator(small_market):
    with MassiveEmulator(small_market, now=NOW, dirt=False, delay=0.2) as running:
        yield running


@pytest.fixture
def whole(emulator):
    """The honest answer."""
    return ask(emulator.url, SESSION, key=KEY)


def failing(emulator, fault, target=SESSION):
    emulator.knobs.update({"next_faults": [fault.name]})
    return ask(emulator.url, target, key=KEY)


def test_there_are_twenty_faults_each_with_one_line():
    assert len(Fault) == 20
    assert len({fault.value for fault in Fault}) == 20
    assert all(fault.value and "\n" not in fault.value for fault in Fault)


@pytest.mark.parametrize(
    ("fault", "statuses", "retry_after", "is_empty"),
    [
        (Fault.RATE_LIMITED_RETRY_AFTER, {429}, True, False),
        (Fault.RATE_LIMITED, {429}, False, False),
        (Fault.RATE_LIMITED_EMPTY, {429}, False, True),
        (Fault.SERVER_ERROR, {500, 502, 504}, False, False),
        (Fault.CLIENT_CLOSED, {499}, False, False),
    ],
)
def test_faults_by_status(emulator, fault, statuses, retry_after, is_empty):
    answer = failing(emulator, fault)
    assert answer.status in statuses
    assert ("retry-after" in answer.headers) == retry_after
    assert (answer.body == b"") == is_empty
    if not is_empty:
        assert answer.json()["status"] == "ERROR"


def test_every_status_of_a_server_error_comes_in_time(emulator):
    seen = {failing(emulator, Fault.SERVER_ERROR).status for _ in range(40)}
    assert seen == {500, 502, 504}


@pytest.mark.parametrize(("fault", "status"), [(Fault.UNAVAILABLE_HTML, 503), (Fault.HTML_OK, 200)])
def test_html_instead_of_json(emulator, fault, status):
    answer = failing(emulator, fault)
    assert answer.status == status
    assert answer.headers["content-type"] == "text/html"
    assert answer.body.startswith(b"<html>")


def test_a_reset_before_any_header(emulator):
    with pytest.raises(ConnectionError):
        failing(emulator, Fault.RESET_BEFORE_HEADERS)


def test_a_reset_in_the_middle_of_the_body(emulator):
    with pytest.raises((ConnectionError, http.client.IncompleteRead)):
        failing(emulator, Fault.RESET_MID_BODY)


def test_a_body_shorter_than_its_content_length(emulator, whole):
    with pytest.raises(http.client.IncompleteRead) as raised:
        failing(emulator, Fault.TRUNCATED_BODY)
    assert raised.value.partial[:20] == whole.body[:20]
    assert len(raised.value.partial) == len(whole.body) // 2


def test_half_a_text_under_a_length_that_agrees(emulator, whole):
    answer = failing(emulator, Fault.TRUNCATED_TEXT)
    assert answer.status == 200
    assert len(answer.body) == int(answer.headers["content-length"]) == len(whole.body) // 2
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_an_empty_body_and_an_empty_object(emulator):
    nothing = failing(emulator, Fault.EMPTY_OK)
    assert (nothing.status, nothing.body) == (200, b"")
    hollow = failing(emulator, Fault.EMPTY_OBJECT)
    assert (hollow.status, hollow.json()) == (200, {})


def test_a_slow_drip_takes_its_time_and_never_ends_well(emulator):
    """The body takes the emulator's delay, then stops; a client that waits less times out."""
    started = time.monotonic()
    with pytest.raises(http.client.IncompleteRead):
        failing(emulator, Fault.SLOW_DRIP)
    assert 0.15 < time.monotonic() - started < 5
    emulator.knobs.update({"next_faults": ["SLOW_DRIP"]})
    with pytest.raises((TimeoutError, http.client.IncompleteRead)):
        ask(emulator.url, SESSION, key=KEY, timeout=0.01)


def test_an_error_inside_a_200(emulator):
    answer = failing(emulator, Fault.ERROR_IN_OK)
    assert answer.status == 200
    assert answer.json()["status"] == "ERROR"
    assert "results" not in answer.json()


@pytest.mark.parametrize(
    ("target", "counter"), [(SESSION, "resultsCount"), ("/v3/reference/tickers", "count")]
)
def test_results_counted_but_missing(emulator, target, counter):
    answer = failing(emulator, Fault.RESULTS_MISSING, target).json()
    assert answer[counter] > 0
    assert "results" not in answer


def test_the_session_before_instead_of_the_one_asked_for(emulator, small_market):
    answer = failing(emulator, Fault.OTHER_SESSION).json()
    assert {row["t"] for row in answer["results"]} == {1709586000000}  # 2024-03-04 16:00 in New York
    assert answer["resultsCount"] == len(small_market.bars(dt.date(2024, 3, 4), NOW))


def test_half_the_market_silently_left_out(emulator, whole):
    answer = failing(emulator, Fault.HALF_MARKET).json()
    assert answer["resultsCount"] == len(answer["results"]) == whole.json()["resultsCount"] // 2
    assert answer["status"] == "OK"


def test_a_redirect_leads_to_another_host_which_tells_whether_a_key_came_along(emulator):
    answer = failing(emulator, Fault.REDIRECT_ELSEWHERE)
    assert answer.status == 302
    assert answer.headers["location"].startswith("http://localhost:")
    ask(emulator.url, "/_emulator/elsewhere")
    assert ask(emulator.url, "/_emulator/calls").json()["keys_led_astray"] == 0
    ask(emulator.url, "/_emulator/elsewhere", key=KEY)
    ask(emulator.url, f"/_emulator/elsewhere?apiKey={KEY}")
    assert ask(emulator.url, "/_emulator/calls").json()["keys_led_astray"] == 2


def test_bytes_called_gzip_that_are_not(emulator, whole):
    answer = failing(emulator, Fault.GZIP_LIE)
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) == len(whole.body)
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(answer.body)


def test_a_fault_waits_for_a_call_that_can_show_it(emulator):
    """HALF_MARKET means nothing to a market's status, so it waits for the next grouped call."""
    emulator.knobs.update({"next_faults": ["HALF_MARKET"]})
    assert ask(emulator.url, "/v1/marketstatus/now", key=KEY).status == 200
    assert emulator.knobs.next_faults == ["HALF_MARKET"]
    ask(emulator.url, SESSION, key=KEY)
    assert emulator.knobs.next_faults == []


def fates(market, seed, **knobs):
    """Return what became of 120 calls: a status, or the name of what was raised."""
    told = []
    with MassiveEmulator(market, now=NOW, plan="unlimited", fault_seed=seed, delay=0.01, **knobs) as emulator:
        for _ in range(120):
            try:
                answer = ask(emulator.url, SESSION, key=KEY)
                told.append((answer.status, len(answer.body)))
            except (ConnectionError, http.client.HTTPException) as error:
                told.append((type(error).__name__, 0))
        return told, emulator.log.by_fault.total()


def test_faults_come_with_their_probability_and_the_same_for_a_seed(small_market):
    first, faults = fates(small_market, 1, faults=0.3)
    assert 20 <= faults <= 52  # 36 expected, 3 standard deviations
    assert fates(small_market, 1, faults=0.3)[1] == faults
    assert len(set(first)) > 5
    assert fates(small_market, 2, faults=0.0)[1] == 0


def test_faults_can_be_limited_to_some(small_market):
    told, faults = fates(small_market, 1, faults=1.0, fault_names=("CLIENT_CLOSED",))
    assert faults == 120
    assert {status for status, _ in told} == {499}
