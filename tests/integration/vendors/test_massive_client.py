"""The Massive client against the emulated vendor, over the wire: no patch, no real waiting."""

import datetime as dt
import logging
import traceback

import numpy as np
import pytest

from condvest.batch_layer.shared.clients.massive import MassiveClient, MassiveProvider, Transport, parse
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.errors import (
    NotReadyYet,
    UnknownSymbol,
    VendorRefused,
    VendorUnavailable,
)
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.instruments.providers import Unavailable
from condvest.batch_layer.shared.utils.retry import Retry
from tests.support.emulators.faults import Fault
from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market

NOW = dt.datetime(2024, 7, 10, 16, 0, tzinfo=dt.UTC)
SESSION = dt.date(2024, 3, 5)
PASSING = sorted(set(Fault.__members__) - {"HALF_MARKET"})
"""HALF_MARKET cannot be seen in the answer: whoever knows the other sessions sees it."""


class Clock:
    """Seconds that pass only when somebody waits."""

    def __init__(self):
        self.seconds = 1_000_000.0
        self.waits = []

    def __call__(self):
        return self.seconds

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.seconds += seconds


def given(answers):
    """Yield the payloads of answers as they come; what is not available stays as it is."""
    return (getattr(answer, "payload", answer) for answer in answers)


@pytest.fixture(scope="module")
def market():
    return Market(
        seed=5, instruments=150, first_session=dt.date(2023, 12, 1), last_session=dt.date(2024, 6, 28)
    )


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def emulator(market, clock):
    with MassiveEmulator(market, now=NOW, clock=clock, delay=0.01, dirt=False) as running:
        yield running


@pytest.fixture
def client(emulator, clock, tmp_path):
    with client_of(emulator, clock, tmp_path) as made:
        yield made


def client_of(emulator, clock, tmp_path, key=KEY, rate=Rate(90, 1.0), attempts=10):  # noqa: B008  # frozen
    limit = RateLimit(tmp_path / "limit", rate, clock=clock, sleep=clock.sleep)
    retry = Retry(attempts=attempts, sleep=clock.sleep)
    return MassiveClient(Transport(emulator.url, key), limit, retry=retry, now=lambda: NOW)


def bars_of(rows):
    """Return bars as tuples by symbol: -1 stands for an unknown vwap."""
    names = ("open", "high", "low", "close", "volume", "vwap", "trades")
    columns = [np.nan_to_num(getattr(rows, name), nan=-1).tolist() for name in names]
    return dict(zip(rows.symbol.tolist(), zip(*columns, strict=True), strict=True))


# Bars ----------------------------------------------------------------------------------------------


def test_a_session_is_one_call_and_equals_the_truth(emulator, client, market):
    answered = client.grouped_daily(SESSION)
    assert emulator.calls == {"grouped": 1}
    assert answered.value.faults == {}
    assert bars_of(answered.value.rows) == bars_of(market.bars(SESSION, NOW))
    (call,) = emulator.log.recent
    assert call["target"].endswith("/2024-03-05?adjusted=false&include_otc=false")


def test_all_sessions_come_in_the_order_asked_for_each_when_it_is_wanted(emulator, client, market):
    provider = MassiveProvider(client, "paid", lambda: NOW)
    wanted = market.sessions()[:10][::-1]
    answers = given(provider.fetch(wanted))
    first = next(answers)
    assert emulator.calls == {"grouped": 1}
    payloads = [first, *answers]
    assert emulator.calls == {"grouped": 10}
    assert [payload.first_session for payload in payloads] == wanted
    for payload in payloads:
        assert (payload.provider, payload.dataset, payload.media) == ("massive", "daily_bars", "json")
        assert payload.last_session == payload.first_session
        assert payload.is_whole
        assert bars_of(parse(payload).rows) == bars_of(market.bars(payload.first_session, NOW))


def test_an_archived_payload_is_read_as_the_fresh_one_was(client):
    (fresh,) = given(MassiveProvider(client, "paid", lambda: NOW).fetch([SESSION]))
    names = ("provider", "dataset", "content", "media", "first_session", "last_session", "fetched_at")
    archived = Payload(**{name: getattr(fresh, name) for name in names}, is_whole=True, name=fresh.name)
    assert archived.digest == fresh.digest
    assert bars_of(parse(archived).rows) == bars_of(parse(fresh).rows)


def test_a_holiday_is_an_empty_session(client):
    assert len(client.grouped_daily(dt.date(2024, 3, 29)).value.rows) == 0


def test_duplicates_and_junk_pass_through_to_the_rules_of_quality(emulator, client, market):
    emulator.knobs.update({"dirt": True})
    rows = [len(client.grouped_daily(session).value.rows) for session in market.sessions()[:14]]
    clean = [len(market.bars(session, NOW)) for session in market.sessions()[:14]]
    # Session 4 of 11 has one row twice, session 6 of 13 three rows of junk.
    assert [got - true for got, true in zip(rows, clean, strict=True)] == [0] * 4 + [1, 0, 3] + [0] * 7


# Faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_is_asked_for_again(emulator, client, clock, market, fault):
    emulator.knobs.update({"next_faults": [fault, fault]})
    answered = client.grouped_daily(SESSION)
    assert bars_of(answered.value.rows) == bars_of(market.bars(SESSION, NOW))
    assert emulator.calls == {"grouped": 3}
    assert dict(emulator.log.by_fault) == {fault: 2}
    assert emulator.log.keys_led_astray == 0
    assert sum(clock.waits) >= 0.25 + 0.5


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("RATE_LIMITED", "429, too many calls: You've exceeded the maximum requests per minute"),
        ("RATE_LIMITED_EMPTY", "429, too many calls: an empty body"),
        ("CLIENT_CLOSED", "499: Client closed request"),
        ("UNAVAILABLE_HTML", "503: <html>"),
        ("HTML_OK", "an HTML page in the place of JSON"),
        ("RESET_BEFORE_HEADERS", "127.0.0.1 gave no whole answer ("),
        ("RESET_MID_BODY", "127.0.0.1 gave no whole answer ("),
        ("TRUNCATED_BODY", "127.0.0.1 gave no whole answer (RemoteProtocolError"),
        ("TRUNCATED_TEXT", "JSON that is cut off or broken after"),
        ("EMPTY_OK", "an empty body"),
        ("EMPTY_OBJECT", "an empty object"),
        ("ERROR_IN_OK", "200 with status ERROR: Something went wrong"),
        ("RESULTS_MISSING", "results and has none"),
        ("OTHER_SESSION", "the bars of 2024-03-04 in the place of those of 2024-03-05"),
        ("REDIRECT_ELSEWHERE", "302, a redirect to http://localhost:"),
        ("GZIP_LIE", "the answer says that it is gzip and is not"),
    ],
)
def test_a_fault_that_stays_ends_with_the_budget_and_names_the_last_answer(
    emulator, clock, tmp_path, fault, said
):
    emulator.knobs.update({"faults": 1.0, "fault_names": [fault]})
    with (
        client_of(emulator, clock, tmp_path, attempts=4) as client,
        pytest.raises(VendorUnavailable) as caught,
    ):
        client.grouped_daily(SESSION)
    message = str(caught.value)
    assert message.startswith("daily bars of 2024-03-05: Massive gave no usable answer in 4 calls over ")
    assert said in message
    assert emulator.calls == {"grouped": 4}


def test_the_default_budget_is_ten_calls(emulator, client, clock):
    emulator.knobs.update({"faults": 1.0, "fault_names": ["CLIENT_CLOSED"]})
    with pytest.raises(VendorUnavailable, match="in 10 calls over"):
        client.grouped_daily(SESSION)
    assert emulator.calls == {"grouped": 10}
    assert 183.5 / 2 <= sum(clock.waits) <= 183.5


@pytest.mark.parametrize(("fault", "wait"), [("RATE_LIMITED_RETRY_AFTER", 1.0), ("RATE_LIMITED_EMPTY", 61.0)])
def test_429_keeps_all_processes_of_the_key_waiting(emulator, clock, tmp_path, fault, wait):
    """As long as Retry-After says (the emulator's says 1 s), or one window if it says nothing."""
    emulator.knobs.update({"next_faults": [fault]})
    with (
        client_of(emulator, clock, tmp_path, rate=Rate(5, 61.0), attempts=1) as client,
        pytest.raises(VendorUnavailable),
    ):
        client.grouped_daily(SESSION)
    other = RateLimit(tmp_path / "limit", Rate(5, 61.0), clock=clock, sleep=clock.sleep)
    assert other.seconds_until_made(1) == wait


def test_every_call_fails_with_three_in_ten_and_all_sessions_are_true(emulator, client, market):
    emulator.knobs.update({"faults": 0.3, "fault_names": PASSING})
    for payload in given(MassiveProvider(client, "paid", lambda: NOW).fetch(market.sessions())):
        assert bars_of(parse(payload).rows) == bars_of(market.bars(payload.first_session, NOW))
    failed = sum(emulator.log.by_fault.values())
    assert emulator.calls == {"grouped": len(market.sessions()) + failed}
    assert failed > 20


def test_pages_survive_faults_too(emulator, client, market):
    emulator.knobs.update({"faults": 0.3})
    payloads = list(given(MassiveProvider(client, "paid", lambda: NOW).corporate_actions()))
    assert sum(len(parse(one).rows) for one in payloads if one.dataset == "dividends") == len(
        truth.dividends(market, NOW)
    )


# Refusals ------------------------------------------------------------------------------------------


def test_an_unknown_key_stops_at_the_first_call(emulator, clock, tmp_path):
    with (
        client_of(emulator, clock, tmp_path, key="wrong") as client,
        pytest.raises(VendorRefused, match=r"Unknown API Key.*MASSIVE_API_KEY"),
    ):
        client.grouped_daily(SESSION)
    assert emulator.calls == {"grouped": 1}
    assert clock.waits == []


def test_a_session_before_the_plans_years_stops_at_the_first_call(emulator, client, clock):
    emulator.knobs.update({"plan": "basic"})
    with pytest.raises(VendorRefused, match=r"plan does not cover daily bars of 2019-05-01 .403: Your plan"):
        client.grouped_daily(dt.date(2019, 5, 1))
    assert (emulator.calls, clock.waits) == ({"grouped": 1}, [])


def test_todays_session_is_left_out_and_the_others_come(emulator, client):
    emulator.knobs.update({"plan": "basic", "now": dt.datetime(2024, 6, 28, 23, 0, tzinfo=dt.UTC)})
    with pytest.raises(NotReadyYet):
        client.grouped_daily(dt.date(2024, 6, 28))
    provider = MassiveProvider(client, "basic", lambda: NOW)
    today, before = given(provider.fetch([dt.date(2024, 6, 28), dt.date(2024, 6, 27)]))
    assert isinstance(today, Unavailable)
    assert today.session == dt.date(2024, 6, 28)
    assert "2024-06-28: today's data are not ready before the end of the day" in today.reason
    assert before.first_session == dt.date(2024, 6, 27)
    assert emulator.calls == {"grouped": 3}


# Plans ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry_after", [True, False])
def test_the_basic_plan_is_never_exceeded(emulator, clock, tmp_path, market, retry_after):
    emulator.knobs.update({"plan": "basic", "retry_after": retry_after})
    with client_of(emulator, clock, tmp_path, rate=Rate(5, 61.0)) as client:
        foretold = client.limit.seconds_until_made(23)
        start = clock()
        for session in market.sessions()[-23:]:
            client.grouped_daily(session)
    assert dict(emulator.log.by_status) == {200: 23}
    assert clock() - start == foretold == 4 * 61.0


def test_a_limit_used_up_elsewhere_is_learnt_from_the_answer(emulator, clock, tmp_path, market):
    """Another machine has spent the minute: one 429, then the wait that it asks for."""
    emulator.knobs.update({"plan": "basic"})
    with client_of(emulator, clock, tmp_path / "elsewhere", rate=Rate(5, 61.0)) as elsewhere:
        for session in market.sessions()[-5:]:
            elsewhere.grouped_daily(session)
    with client_of(emulator, clock, tmp_path / "here", rate=Rate(5, 61.0)) as client:
        client.grouped_daily(SESSION)
    assert dict(emulator.log.by_status) == {200: 6, 429: 1}
    assert sum(clock.waits) == pytest.approx(60.0)


# Lists ---------------------------------------------------------------------------------------------


def test_splits_and_dividends_equal_the_truth(emulator, client, market):
    splits, *dividends = given(
        MassiveProvider(client, "paid", lambda: NOW).corporate_actions(dt.date(2023, 6, 1))
    )
    rows = parse(splits).rows
    found = zip(rows.symbol, rows.ex_date.astype(str), rows.split_from, rows.split_to, strict=True)
    told = truth.splits(market, NOW)
    assert sorted(found) == sorted(
        (one["symbol"], one["ex_date"], one["split_from"], one["split_to"]) for one in told
    )
    (whole,) = dividends
    rows = parse(whole).rows
    assert sorted(zip(rows.symbol, rows.ex_date.astype(str), rows.cash_amount, strict=True)) == sorted(
        (one["symbol"], one["ex_date"], one["cash_amount"]) for one in truth.dividends(market, NOW)
    )
    assert (splits.media, splits.is_whole, splits.first_session) == ("json-seq", True, dt.date(2023, 6, 1))
    assert emulator.calls == {"splits": 1, "dividends": 1}


def test_dividends_of_many_years_are_divided_by_year_and_none_is_lost(emulator, client, market):
    provider = MassiveProvider(client, "paid", lambda: dt.datetime(2027, 1, 5, tzinfo=dt.UTC))
    _, *years = given(provider.corporate_actions(dt.date(2022, 5, 2)))
    assert emulator.calls == {"splits": 1, "dividends": 5}  # 2022, 2023, 2024, 2025, and 2026 on
    assert sum(len(parse(one).rows) for one in years) == len(truth.dividends(market, NOW))


def test_late_actions_alone_are_asked_for_by_ex_date(client, market):
    since = dt.date(2024, 6, 10)
    splits, dividends = given(MassiveProvider(client, "paid", lambda: NOW).corporate_actions(since))
    for payload, told in ((splits, truth.splits(market, NOW)), (dividends, truth.dividends(market, NOW))):
        assert len(parse(payload).rows) == sum(one["ex_date"] >= str(since) for one in told)


def test_the_reference_is_paged_and_holds_the_delisted(clock, tmp_path):
    crowd = Market(
        seed=3, instruments=1500, first_session=dt.date(2024, 1, 2), last_session=dt.date(2024, 6, 28)
    )
    with (
        MassiveEmulator(crowd, now=NOW, old_names_inactive=False) as emulator,
        client_of(emulator, clock, tmp_path) as client,
    ):
        (reference,) = given(MassiveProvider(client, "paid", lambda: NOW).reference())
        assert emulator.calls == {"tickers": 3}
    told = [one for one in truth.instruments(crowd, NOW) if not one["otc"]]
    rows = parse(reference).rows
    listed, gone = rows.take(rows.active), rows.take(~rows.active)
    assert dict(zip(listed.symbol, listed.figi, strict=True)) == {
        one["names"][-1]["symbol"]: one["composite_figi"] or "" for one in told if not one["delisted_date"]
    }
    assert sorted(zip(gone.symbol, gone.delisted_date.astype(str), gone.cik, strict=True)) == sorted(
        (one["names"][-1]["symbol"], one["delisted_date"], one["cik"] or "")
        for one in told
        if one["delisted_date"]
    )
    assert (reference.dataset, reference.is_whole) == ("instruments", True)


def test_details_of_a_ticker(client, market):
    now = client.ticker_details("META").value.rows
    assert now.symbol[0] == "META"
    assert now.figi[0] == truth.composite_figi(market, 0)
    assert now.shares_outstanding[0] == market.universe.shares[0]
    with pytest.raises(UnknownSymbol, match="Massive has no details of FB"):
        client.ticker_details("FB")


def test_renames_and_details_of_many_leave_out_whom_nobody_knows(client, market):
    provider = MassiveProvider(client, "paid", lambda: NOW)
    (payload,) = given(provider.renames(["META", "NOBODY", "KIM"]))
    renames = parse(payload).rows
    dates = {one["old"]: one["date"] for one in truth.renames(market, NOW)}
    assert renames.symbol.tolist() == ["META", "FB", "KIM"]
    assert str(renames.date[0]) == dates["FB"]
    (payload,) = given(provider.details(["AAPL", "NOBODY", "BRK.B"]))
    details = parse(payload).rows
    assert details.symbol.tolist() == ["AAPL", "BRK.B"]


# The key -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, *PASSING])
def test_the_key_is_nowhere_but_in_the_header(emulator, clock, tmp_path, caplog, fault):
    caplog.set_level(logging.DEBUG)
    seen = []
    if fault:
        emulator.knobs.update({"faults": 1.0, "fault_names": [fault]})
    with client_of(emulator, clock, tmp_path, attempts=2) as client:
        provider = MassiveProvider(client, "paid", lambda: NOW)
        seen += [client, provider, vars(client), vars(provider), client.limit]
        try:
            (payload,) = given(provider.fetch([SESSION]))
            seen += [payload, payload.content, payload.name]
        except VendorUnavailable as error:
            seen += ["".join(traceback.format_exception(error)), error]
    told = " ".join(map(repr, seen)) + caplog.text + repr([vars(record) for record in caplog.records])
    assert KEY not in told
    assert not any(KEY in file.name or KEY.encode() in file.read_bytes() for file in tmp_path.iterdir())
