"""The provider ``yahoo`` over the wire, held against the emulated Yahoo's own truth."""

import dataclasses
import datetime as dt
import gzip
import importlib
import logging
import re
import subprocess
import sys
from collections import defaultdict

import numpy as np
import pytest

from condvest.batch_layer.shared.clients.yahoo import FIRST_SESSION, YahooProvider, parse
from condvest.batch_layer.shared.clients.yahoo.provider import PAUSE
from condvest.batch_layer.shared.errors import SymbolGone, UsageError, VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.models.given.payloads import Fetched
from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.yahoo import History, YahooEmulator
from tests.support.emulators.yahoo.sample import sample_histories
from tests.support.yahoo_answers import Sleeper, by_symbol, failures, payloads, sample_dividends, sample_rows

D = dt.date
NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
LATER = dt.datetime(2013, 3, 4, 12, tzinfo=dt.UTC)
"""After the sample's last session, 2013-03-01."""

PRICES = ("open", "high", "low", "close")
TRANSIENT = (
    "RATE_LIMITED_RETRY_AFTER",
    "RATE_LIMITED",
    "RATE_LIMITED_EMPTY",
    "SERVER_ERROR",
    "CLIENT_CLOSED",
    "UNAVAILABLE_HTML",
    "HTML_OK",
    "RESET_BEFORE_HEADERS",
    "RESET_MID_BODY",
    "TRUNCATED_BODY",
    "TRUNCATED_TEXT",
    "EMPTY_OK",
    "EMPTY_OBJECT",
    "SLOW_DRIP",
    "ERROR_IN_OK",
    "REDIRECT_ELSEWHERE",
    "GZIP_LIE",
)


@pytest.fixture
def sleeper():
    return Sleeper()


@pytest.fixture
def provider_of(tmp_path, sleeper):
    def make(emulator, *symbols, **options):
        options = {"clock": emulator.now, "sleep": sleeper, "timer": sleeper.clock, **options}
        return YahooProvider(symbols, base_url=emulator.url, cache_dir=tmp_path / "yahoo", **options)

    return make


@pytest.fixture(scope="module")
def market():
    """About 60 instruments from 2023-12-01 to 2024-05-31, with splits both ways and dividends."""
    return Market(
        seed=5, instruments=60, first_session=D(2023, 12, 1), last_session=D(2024, 5, 31), revisions=0.0
    )


@pytest.fixture
def emulator(market):
    with YahooEmulator(market, now=NOW, delay=0.0) as running:
        yield running


@pytest.fixture(scope="module")
def sample():
    """The sample's histories with their dividends."""
    paid = sample_dividends()
    return [dataclasses.replace(one, dividends=tuple(paid[one.symbol])) for one in sample_histories()]


def test_the_samples_prices_come_back_as_traded_across_the_splits(sample, provider_of):
    """12,154 rows of real prices, told split-adjusted in single precision: each of them is met exactly."""
    with YahooEmulator(histories=sample, now=LATER) as emulator:
        provider = provider_of(emulator, "AAPL", "FB", "GOOG", "IBM", "MSFT")
        rows = by_symbol(provider.fetch([D(2000, 3, 1), D(2013, 3, 1)]))
        charts = emulator.calls["chart"]
    assert charts == 5
    compared = 0
    for symbol, real in sample_rows().items():
        mine = rows[symbol]
        assert [str(session) for session in mine.session] == [row["Date"] for row in real]
        for name in PRICES:
            assert getattr(mine, name).tolist() == [float(row[name.capitalize()]) for row in real]
        assert mine.volume.tolist() == [float(row["Volume"]) for row in real]
        compared += len(mine)
    assert compared == 12_154


def test_before_a_split_yahoo_tells_other_prices_than_were_paid(sample, provider_of):
    """On 2000-03-01 AAPL closed at 130.31; what comes over the wire is a quarter of it."""
    with YahooEmulator(histories=sample, now=LATER) as emulator:
        (payload,) = payloads(provider_of(emulator, "AAPL").fetch([D(2000, 3, 1)]))
    assert b"32.57749938964844" in payload.content
    rows = parse(payload).rows
    assert (rows.close.tolist(), rows.volume.tolist()) == ([130.31], [9_616_100])


def test_the_samples_splits_and_dividends_come_as_they_were(sample, provider_of):
    """Each dividend is as paid on its date (MSFT's 3.08 of 2004, AAPL's 2.65), from the same answers."""
    symbols = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    with YahooEmulator(histories=sample, now=LATER) as emulator:
        provider = provider_of(emulator, *symbols)
        answers = list(provider.fetch([D(2000, 3, 1), D(2013, 3, 1)]))
        assert emulator.calls["chart"] == 5
    splits = by_symbol(answers, 1)
    told = {symbol: [str(date) for date in rows.ex_date] for symbol, rows in splits.items()}
    assert told == {"AAPL": ["2000-06-21", "2005-02-28"], "MSFT": ["2003-02-18"]}
    assert {
        (a, b) for rows in splits.values() for a, b in zip(rows.split_from, rows.split_to, strict=True)
    } == {(1, 2)}
    dividends = by_symbol(answers, 2)
    paid = sample_dividends()
    assert {
        symbol: list(zip(rows.ex_date.tolist(), rows.cash_amount.tolist(), strict=True))
        for symbol, rows in dividends.items()
    } == {symbol: sorted(paid[symbol]) for symbol in paid if paid[symbol]}


def test_a_split_after_the_sessions_asked_for_is_in_the_answer(sample, provider_of):
    """The chart is asked for through the present: AAPL's session of 2003 is on the basis of before 2005."""
    with YahooEmulator(histories=sample, now=LATER) as emulator:
        (payload,) = payloads(provider_of(emulator, "AAPL").fetch([D(2003, 6, 2)]))
    rows = parse(payload).rows
    (real,) = [row for row in sample_rows()["AAPL"] if row["Date"] == "2003-06-02"]
    assert rows.session.tolist() == [D(2003, 6, 2)]
    assert rows.close.tolist() == [float(real["Close"])]
    assert (payload.first_session, payload.last_session) == (D(2003, 6, 2), D(2003, 6, 2))


def live(market):
    """The instruments listed at the end, by ticker."""
    records = truth.instruments(market, NOW)
    return {one["names"][-1]["symbol"]: one["instrument"] for one in records if not one["delisted_date"]}


def test_a_synthetic_market_comes_back_as_it_is(market, emulator, provider_of):
    """Every bar of every listed instrument, across splits and reverse splits, under its present symbol."""
    listed = live(market)
    provider = provider_of(emulator, *listed)
    rows = by_symbol(provider.fetch(market.sessions()))
    assert set(rows) == set(listed)
    ratio = defaultdict(dict)
    for one in truth.splits(market, NOW):
        if D.fromisoformat(one["ex_date"]) <= NOW.date():
            ratio[one["instrument"]][np.datetime64(one["ex_date"])] = one["split_to"] / one["split_from"]
    assert {value < 1 for splits in ratio.values() for value in splits.values()} == {True, False}
    for symbol, instrument in listed.items():
        real, mine = market.history(instrument, NOW), rows[symbol]
        assert mine.session.tolist() == real.session.tolist()
        for name in PRICES:
            # Four decimals of a price above 1,000 are more than single precision holds.
            assert getattr(mine, name) == pytest.approx(getattr(real, name), rel=1e-7)
            small = real.high < 500
            assert getattr(mine, name)[small].tolist() == getattr(real, name)[small].tolist()
        shares = np.ones(len(real))
        for ex_date, value in ratio[instrument].items():
            shares[real.session < ex_date] *= value
        # Yahoo counts whole shares of today.
        assert (np.abs(mine.volume - real.volume) <= 0.5 + 0.5 / shares).all()
    assert set(rows) >= {"BRK.B", "KIMpL", "KIMPL", "META"}


def test_a_synthetic_markets_actions_come_back_as_they_are(market, emulator, provider_of):
    listed = live(market)
    answers = list(provider_of(emulator, *listed).fetch([D(2023, 12, 1), NOW.date()]))
    today = NOW.date()
    for number, table, columns in (
        (1, truth.splits, ("split_from", "split_to")),
        (2, truth.dividends, ("cash_amount",)),
    ):
        rows = by_symbol(answers, number)
        mine = {
            (listed[symbol], date, *values)
            for symbol, one in rows.items()
            for date, *values in zip(one.ex_date.tolist(), *(getattr(one, c) for c in columns), strict=True)
        }
        real = {
            (one["instrument"], D.fromisoformat(one["ex_date"]), *(one[c] for c in columns))
            for one in table(market, NOW)
            if one["instrument"] in listed.values() and D.fromisoformat(one["ex_date"]) <= today
        }
        assert mine == real
        assert mine


def test_one_request_a_symbol_from_before_the_first_session_through_today(emulator, provider_of):
    list(provider_of(emulator, "KIM", "BRK.B").fetch([D(2024, 5, 1), D(2024, 3, 1), D(2024, 5, 31)]))
    targets = [call["target"] for call in emulator.log.recent if call["endpoint"] == "chart"]
    # 40 days before 2024-03-01 is 2024-01-21, 00:00 -05:00; the end is 2024-06-04, 00:00 -04:00.
    query = "period1=1705813200&period2=1717473600&interval=1d&includePrePost=false&events=div,splits"
    assert targets == [f"/v8/finance/chart/KIM?{query}", f"/v8/finance/chart/BRK-B?{query}"]


def test_the_payload_is_the_answer_as_it_came(emulator, provider_of):
    (payload,) = payloads(provider_of(emulator, "KIM").fetch([D(2024, 5, 30), D(2024, 5, 31)]))
    assert payload.content.startswith(b'{"chart":{"result":[{"meta":{"currency":"USD","symbol":"KIM"')
    assert (payload.provider, payload.dataset, payload.media) == ("yahoo", "chart", "json")
    assert (payload.first_session, payload.last_session) == (D(2024, 5, 30), D(2024, 5, 31))
    assert (payload.fetched_at, payload.is_whole, payload.name) == (NOW, False, "yahoo/chart/KIM")


def test_a_holiday_asked_for_has_no_bar_and_is_no_failure(emulator, provider_of):
    """2024-05-27 was Memorial Day; asked for on that evening, nothing newer is there."""
    emulator.knobs.update({"now": dt.datetime(2024, 5, 27, 23, tzinfo=dt.UTC)})
    (payload,) = payloads(provider_of(emulator, "KIM").fetch([D(2024, 5, 27)]))
    assert len(parse(payload).rows) == 0


def test_rows_of_nulls_are_faults_and_gaps_are_gaps(emulator, provider_of):
    emulator.knobs.update({"nulls": {"KIM": ["2024-05-29"]}, "gaps": {"KIM": ["2024-05-30"]}})
    (payload,) = payloads(provider_of(emulator, "KIM").fetch([D(2024, 5, 28), D(2024, 5, 31)]))
    answer = parse(payload)
    assert answer.rows.session.tolist() == [D(2024, 5, 28), D(2024, 5, 29), D(2024, 5, 31)]
    assert answer.faults == {1: "open: missing; high: missing; low: missing; close: missing; volume: missing"}


def test_a_symbol_that_fails_is_named_and_the_others_come(emulator, provider_of, sleeper):
    """FB is META by now, and NOPE nothing: both are told apart from having no data, and nobody waits."""
    answers = list(provider_of(emulator, "NOPE", "KIM", "FB", "META").fetch([D(2024, 5, 31)]))
    came = [answer.payload.name for answer in answers if isinstance(answer, Fetched)]
    assert came == ["yahoo/chart/KIM", "yahoo/chart/META"]
    what = (
        "{0}: Yahoo has no symbol {0} (No data found, symbol may be delisted); "
        "check its spelling, or leave it out if it is delisted"
    )
    errors = failures(answers)
    assert {symbol: str(error) for symbol, error in errors.items()} == {
        symbol: what.format(symbol) for symbol in ("NOPE", "FB")
    }
    assert {type(error) for error in errors.values()} == {SymbolGone}
    assert sleeper.waits == []


def gone():
    """A history that ends long before NOW, as of a symbol that Yahoo still knows."""
    price = np.array([10.0])
    session = np.array(["2024-01-02"], dtype="datetime64[D]")
    return History("GONE", session, price, price, price, price, np.array([100.0]))


def test_a_symbol_without_any_recent_bar_is_a_failure(provider_of):
    why = "GONE: Yahoo knows the symbol but has no bar of it since 2024-04-21"
    with YahooEmulator(histories=[gone()], now=NOW) as emulator:
        errors = failures(provider_of(emulator, "GONE").fetch([D(2024, 5, 31)]))
    assert isinstance(errors["GONE"], VendorRefused)
    assert why in str(errors["GONE"])


@pytest.mark.parametrize("fault", TRANSIENT)
def test_each_passing_fault_is_asked_again(emulator, provider_of, fault):
    """An answer spoilt in any way is never taken for one without rows."""
    whole = parse(next(iter(provider_of(emulator, "KIM").fetch([D(2024, 5, 31)]))).payload).rows
    emulator.knobs.update({"next_faults": [fault] * 3})
    (payload,) = payloads(provider_of(emulator, "KIM").fetch([D(2024, 5, 31)]))
    rows = parse(payload).rows
    assert (rows.close.tolist(), rows.volume.tolist()) == (whole.close.tolist(), whole.volume.tolist())
    assert emulator.log.by_fault[fault] == 3


def test_under_random_faults_every_symbol_comes_back_whole(market, emulator, provider_of):
    """Each call, those for cookies included, fails with one of the faults with probability 0.3."""
    symbols = list(live(market))[:25]
    honest = by_symbol(provider_of(emulator, *symbols).fetch(market.sessions()))
    emulator.knobs.update({"faults": 0.3})
    provider = provider_of(emulator, *symbols)
    for _ in range(5):  # four requests a symbol may all fail
        answers = list(provider.fetch(market.sessions()))
        faulty = by_symbol(answers)
        for symbol in faulty:
            assert faulty[symbol].close.tolist() == honest[symbol].close.tolist()
        assert set(faulty) | set(failures(answers)) == set(symbols)
        symbols = list(failures(answers))
        if not symbols:
            break
        provider = provider_of(emulator, *symbols)
    assert symbols == []


def test_a_rate_limit_is_waited_for_within_bounds_and_then_named(emulator, provider_of, sleeper):
    """Yahoo answers 429 for good: three waits, which hold for all symbols, and nobody else is asked about."""
    emulator.knobs.update({"faults": 1.0, "fault_names": ["RATE_LIMITED"]})
    provider = provider_of(emulator, "KIM", "META", "BRK.B", "AAPL", "MSFT")
    errors = failures(provider.fetch([D(2024, 5, 31)]))
    assert sleeper.waits == [2.0, 10.0, 60.0]
    assert {type(error) for error in errors.values()} == {VendorUnavailable}
    assert str(errors["KIM"]) == "KIM: Yahoo limits the rate of requests (429); asked once"
    assert str(errors["MSFT"]) == "MSFT: not asked for, since Yahoo limits the rate of requests (429)"
    assert len(errors) == 5


@pytest.mark.parametrize(
    ("retry_after", "waits"), [(1, [2, 10, 60]), (30, [30, 30, 60]), (9999, [300, 300, 300])]
)
def test_a_longer_retry_after_is_obeyed_up_to_a_bound(
    emulator, provider_of, sleeper, monkeypatch, retry_after, waits
):
    spoilt = emulator.spoilt

    def with_header(reply, fault):
        made = spoilt(reply, fault)
        return dataclasses.replace(made, headers={**made.headers, "Retry-After": str(retry_after)})

    monkeypatch.setattr(emulator, "spoilt", with_header)  # the emulator's own figure is always 1
    emulator.knobs.update({"faults": 1.0, "fault_names": ["RATE_LIMITED"]})
    errors = failures(provider_of(emulator, "KIM").fetch([D(2024, 5, 31)]))
    assert "limits the rate" in str(errors["KIM"])
    assert sleeper.waits == waits


def test_an_answer_too_large_is_not_read_on(emulator, provider_of, monkeypatch):
    """The error is raised before the body has an end, and is no failure that passes."""
    taken = []
    wire = importlib.import_module("condvest.batch_layer.shared.clients.yahoo.wire")
    monkeypatch.setattr(wire, "MAX_BYTES", 1000)
    add = wire._Body.add

    def noted(body, piece):
        answer = add(body, piece)
        taken.append(len(body.content))
        return answer

    monkeypatch.setattr(wire._Body, "add", noted)
    errors = failures(provider_of(emulator, "KIM").fetch([D(2024, 5, 31)]))
    assert str(errors["KIM"]).startswith("KIM: Yahoo's answer has more than 1,000 bytes, the most")
    assert type(errors["KIM"]) is VendorRefused
    assert taken
    assert max(taken) <= 1000


def test_nobody_listening_is_unavailable(tmp_path, sleeper):
    with YahooEmulator(histories=[gone()], now=NOW) as emulator:
        url = emulator.url
    provider = YahooProvider(["KIM"], base_url=url, cache_dir=tmp_path, sleep=sleeper, timer=sleeper.clock)
    errors = failures(provider.fetch([D(2024, 5, 31)]))
    assert re.match(r"KIM: no answer from Yahoo \(.*asked 4 times", str(errors["KIM"]))


def test_yfinances_log_says_nothing_of_its_own_and_keeps_its_setting(emulator, provider_of, caplog):
    with caplog.at_level(logging.DEBUG):
        provider = provider_of(emulator, "KIM", "NOPE")
        list(provider.fetch([D(2024, 5, 31)]))
    assert [record for record in caplog.records if record.name.startswith("yfinance")] == []
    assert not logging.getLogger("yfinance").disabled


def test_nothing_is_asked_for_no_session(emulator, provider_of):
    assert list(provider_of(emulator, "KIM").fetch([])) == []
    assert emulator.calls == {}


def test_what_it_covers_and_costs(tmp_path):
    provider = YahooProvider(["AAPL", "MSFT", "aapl", "BRK-B"], cache_dir=tmp_path, clock=lambda: NOW)
    assert provider.symbols == ("AAPL", "MSFT", "BRK.B")
    assert (provider.name, provider.corrects) == ("yahoo", True)
    assert (
        provider.coverage(D(2024, 5, 31))
        == (FIRST_SESSION, D(2024, 5, 31))
        == (D(1962, 1, 2), D(2024, 5, 31))
    )
    cost = provider.cost(252)
    assert (cost.calls, cost.seconds) == (3, 2 * PAUSE)
    assert provider.cost(0).calls == 0
    later = YahooProvider(["AAPL"], cache_dir=tmp_path, start=D(2020, 1, 2))
    assert later.coverage(D(2024, 5, 31)) == (D(2020, 1, 2), D(2024, 5, 31))


def test_the_megabytes_foretold_are_about_what_comes_over(sample, provider_of):
    """Within a factor of two of the compressed answers: 3,270 rows of AAPL, IBM and MSFT."""
    with YahooEmulator(histories=sample, now=LATER) as emulator:
        provider = provider_of(emulator, "AAPL", "IBM", "MSFT")
        came = sum(
            len(gzip.compress(one.payload.content)) for one in provider.fetch([D(2000, 3, 1), D(2013, 3, 1)])
        )
    assert 0.5 < provider.cost(3270).megabytes / (came / 1e6) < 2


@pytest.mark.parametrize("symbols", [(), ("AAPL", "no symbol"), ("",), ("../etc",)])
def test_junk_for_a_symbol_is_refused_before_anything_is_asked(tmp_path, symbols):
    with pytest.raises(UsageError, match="symbol"):
        YahooProvider(symbols, cache_dir=tmp_path)


def test_yfinance_is_imported_only_when_something_is_asked():
    """It takes a second, and every command would pay for it."""
    code = (
        "import sys, pathlib; from condvest.batch_layer.shared.clients.yahoo import YahooProvider; "
        "YahooProvider(['AAPL'], cache_dir=pathlib.Path('x')); "
        "sys.exit('yfinance' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
