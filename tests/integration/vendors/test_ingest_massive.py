"""From Massive's wire to the bars: whatever happens on the way, the market's truth is what is stored."""

import datetime as dt

import pytest

from condvest.batch_layer.fetching.fetch import FetchReport
from tests.support.emulators.faults import Fault
from tests.support.emulators.synthetic import truth, universe
from tests.support.emulators.synthetic.market import Market
from tests.support.payloads import bar, dividends_payload, split
from tests.support.worlds.vendor_truth import Desk, after_close, disagreements, serving, unconnected

D = dt.date
FIRST, LAST = D(2024, 1, 2), D(2024, 3, 28)


def further(*values):
    """Return a case of the long tests: the same as the first of its kind, on another market."""
    return pytest.param(*values, marks=pytest.mark.long)


@pytest.fixture
def desk_at(database, tmp_path):
    """Open the vendor over a market, and return what keeps a database from it."""
    opened = []

    def open_(market, *, ask_again=3, **knobs):
        emulator = serving(market, **({"dirt": False} | knobs))
        emulator.start()
        opened.append(emulator)
        return Desk(database, tmp_path, emulator, ask_again)

    yield open_
    for emulator in opened:
        emulator.stop()


@pytest.fixture(scope="module")
def small():
    """A market of the cast and a crowd, a quarter long, of which nothing is corrected."""
    return Market(8, 90, FIRST, LAST, revisions=0)


@pytest.fixture
def hard(monkeypatch):
    """In the markets made meanwhile more happens in a quarter than elsewhere in ten years."""
    monkeypatch.setattr(universe, "_RENAMED_A_YEAR", 2.0)
    monkeypatch.setattr(universe, "_DELISTED_A_YEAR", 1.5)
    monkeypatch.setattr(universe, "_REUSED", 0.7)
    monkeypatch.setattr(universe, "_SPLIT_A_YEAR", 0.5)


def insist_on_truth(desk, now, start=FIRST):
    market = desk.emulator.market
    assert disagreements(desk, market, now, start, unknowable=unconnected(market, now)) == []
    assert desk.wrong_bars() == []


# The truth, however it is come by ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "order", "former_names_listed"),
    [(1, "newest", True), further(2, "newest", False), further(3, "oldest", True), (4, "oldest", False)],
)
def test_a_backfill_and_a_night_store_the_truth(desk_at, seed, order, former_names_listed):
    market = Market(seed, 150, FIRST, LAST, revisions=0.003)
    desk = desk_at(market, old_names_inactive=former_names_listed, dirt=True)
    now = after_close(LAST)
    report = desk.backfill(now, order=order)
    # Binary junk in the place of tickers, and actions of securities that had no bar yet.
    assert set(report.as_json()["refused"]) - {"no_instrument"} == {"bad_symbol"}
    assert report.as_json()["duplicates"] > 0
    assert not desk.night(now).failed
    insist_on_truth(desk, now)


@pytest.mark.parametrize(("seed", "former_names_listed"), [(5, True), further(6, False)])
def test_nights_through_renames_splits_delistings_and_corrections_store_the_truth(
    desk_at, seed, former_names_listed
):
    """Each revision is published within five sessions, and the last seven are asked for again."""
    market = Market(seed, 70, FIRST, D(2024, 2, 29), revisions=0.005)
    desk = desk_at(market, ask_again=7, old_names_inactive=former_names_listed)
    first, *nights = map(after_close, market.sessions())
    desk.backfill(first)
    for now in nights:
        desk.night(now)
    insist_on_truth(desk, nights[-1])
    assert desk.rows("SELECT count(*) > 0 FROM daily_bar_revisions") == [(True,)]


def test_a_week_that_was_missed_is_made_up_for(desk_at):
    """Renames and reused symbols of the week are learned all at once, after the fact."""
    market = Market(7, 120, FIRST, LAST, revisions=0)
    desk = desk_at(market, old_names_inactive=False)
    first, *nights = map(after_close, market.sessions())
    desk.backfill(first)
    for now in nights[6::7]:
        desk.night(now)
    desk.night(nights[-1])
    insist_on_truth(desk, nights[-1])


@pytest.mark.parametrize("seed", [11, further(12)])
def test_a_market_in_turmoil_is_stored_as_it_was(desk_at, hard, seed):  # noqa: ARG001  # a patch
    """A tenth of the market is renamed, and delisted, each fortnight, and most of the symbols come back."""
    market = Market(seed, 90, FIRST, D(2024, 2, 29), revisions=0)
    desk = desk_at(market)
    sessions = list(map(after_close, market.sessions()))
    desk.backfill(sessions[len(sessions) // 2])
    for now in sessions[len(sessions) // 2 + 1 :: 2]:
        desk.night(now)
    desk.night(sessions[-1])
    insist_on_truth(desk, sessions[-1])


def test_the_order_of_the_answers_decides_nothing(desk_at, small):
    """Bars first, then splits and dividends, the renames nobody can place yet, and the reference last."""
    desk, now = desk_at(small), after_close(LAST)
    workspace = desk.at(now)
    with workspace.ingest("massive") as ingest:
        provider, fetched = ingest.provider, FetchReport()
        figis = [one["composite_figi"] for one in truth.instruments(small, now) if one["composite_figi"]]
        for answers in (
            provider.fetch(small.sessions()),
            provider.corporate_actions(FIRST),
            provider.renames(figis),
            provider.reference(),
            provider.renames(figis),
            provider.reference(),
        ):
            ingest._load("answers", lambda answers=answers: answers, fetched, None)
    desk.night(now)
    insist_on_truth(desk, now)


def test_a_symbol_is_its_carriers_for_some_days_after_the_delisting(desk_at, small):
    """The vendor's dates of delisting are a day or two early at times; ASTR comes back weeks later."""
    now = after_close(LAST)
    desk = desk_at(small)
    gone = next(one for one in truth.instruments(small, now) if one["names"][0]["symbol"] == "ASTR")
    last = D.fromisoformat(gone["delisted_date"])
    after = small.sessions()[small.sessions().index(last) + 1]
    late = {"T": "ASTR", "v": 100, "o": 2.5, "c": 2.5, "h": 2.5, "l": 2.5, "n": 1}
    late["t"] = int(dt.datetime.combine(after, dt.time(20), dt.UTC).timestamp()) * 1000
    desk.emulator.knobs.update({"extra_rows": {after.isoformat(): [late]}})
    desk.backfill(after_close(after))
    desk.night(after_close(after))
    assert desk.rows(
        "SELECT count(DISTINCT instrument_id), max(session) FROM daily_bars JOIN symbols "
        "USING (instrument_id) JOIN sessions USING (ordinal) WHERE symbol = 'ASTR'"
    ) == [(1, after)]


# Nights --------------------------------------------------------------------------------------------


def test_a_night_with_nothing_new_asks_little_and_changes_nothing(desk_at, small):
    """At most 1 + N sessions, two lists of tickers, the splits and the dividends; nobody's renames."""
    desk, now = desk_at(small), after_close(LAST)
    desk.backfill(now)
    desk.night(now)
    before = desk.dump()
    desk.emulator.log.clear()
    report = desk.night(now)
    assert desk.emulator.calls == {"tickers": 2, "grouped": 3, "splits": 1, "dividends": 1}
    assert desk.dump() == before
    assert (report.exit_code, sum(load.altered for load in report.loads)) == (0, 0)
    assert set(report.resampled.windows.values()) == {0}


def test_a_session_of_a_whole_market_costs_one_call(desk_at):
    market = Market(1, 12_500, D(2024, 3, 27), D(2024, 3, 28), revisions=0)
    desk = desk_at(market)
    desk.backfill(after_close(LAST), D(2024, 3, 27), D(2024, 3, 27))
    desk.emulator.log.clear()
    desk.night(after_close(LAST))
    calls = desk.emulator.calls
    assert calls["grouped"] == 2, "the new session, and the one before again"
    assert calls["tickers"] <= 15
    assert (calls["splits"], calls["dividends"]) == (1, 1)
    ((count,),) = desk.rows("SELECT count(*) FROM daily_bars")
    assert count == sum(len(market.bars(session)) for session in market.sessions())


def test_half_a_market_is_held_as_partial_and_completed_later(desk_at, small):
    desk, sessions = desk_at(small), small.sessions()
    desk.backfill(after_close(sessions[-2]))
    desk.emulator.knobs.update({"cut_short": {LAST.isoformat(): 0.5}})
    now = after_close(LAST)
    report = desk.night(now)
    assert (report.exit_code, report.as_json()["partial"]) == (3, [LAST.isoformat()])
    ordinal = f"(SELECT ordinal FROM sessions WHERE session = '{LAST}')"
    assert desk.rows(
        f'SELECT count(*) FROM bars WHERE is_complete AND ("window" + 1) * "interval" > {ordinal}'
    ) == [(0,)]
    desk.emulator.knobs.update({"cut_short": {}})
    assert desk.night(now).exit_code == 0
    insist_on_truth(desk, now)


def test_yesterdays_bars_for_today_are_not_taken(desk_at, small):
    desk, sessions = desk_at(small), small.sessions()
    desk.backfill(after_close(sessions[-2]))
    now = after_close(LAST)
    desk.emulator.knobs.update({"faults": 1.0, "fault_names": ["OTHER_SESSION"]})
    report = desk.night(now)
    assert report.exit_code == 1
    assert "in the place of those of 2024-03-2" in report.failed["massive/daily_bars"]
    assert desk.rows(
        f"SELECT count(*) FROM daily_bars JOIN sessions USING (ordinal) WHERE session = '{LAST}'"
    ) == [(0,)]
    desk.emulator.knobs.update({"faults": 0.0})
    assert desk.night(now).exit_code == 0
    insist_on_truth(desk, now)


def test_todays_bars_that_are_not_ready_are_asked_for_again(desk_at, small):
    """On the free plan a session's bars are there when its day has ended in New York."""
    desk, sessions = desk_at(small, plan="basic", rate=(10**6, 1)), small.sessions()
    desk.backfill(dt.datetime.combine(sessions[-1], dt.time(13), dt.UTC))
    report = desk.night(after_close(LAST))
    assert [(one.session, "will be asked for again" in one.reason) for one in report.unavailable] == [
        (LAST, True)
    ]
    morning = dt.datetime.combine(LAST + dt.timedelta(days=1), dt.time(12), dt.UTC)
    assert desk.night(morning).unavailable == []
    insist_on_truth(desk, morning)


def test_a_holiday_asked_for_is_no_session_and_no_call(desk_at, small):
    """2024-02-19 was Presidents' Day."""
    desk = desk_at(small)
    report = desk.backfill(after_close(LAST), D(2024, 2, 19), D(2024, 2, 19))
    assert "grouped" not in desk.emulator.calls
    assert (report.exit_code, report.as_json()["sessions"]) == (0, 0)


# Faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, further(2)])
def test_a_backfill_among_twenty_faults_ends_complete_and_true(desk_at, small, seed):
    """Each call fails with probability 0.3, and every fault comes at least once."""
    desk = desk_at(small, fault_seed=seed, faults=0.3, next_faults=list(Fault.__members__))
    now = after_close(LAST)
    for _ in range(6):
        report = desk.backfill(now)
        if not report.as_json()["partial"]:
            break
    desk.emulator.knobs.update({"faults": 0.0})
    assert desk.backfill(now).as_json()["sessions"] == 0
    insist_on_truth(desk, now)
    told = desk.emulator.log.as_json()
    assert told["keys_led_astray"] == 0
    assert len(told["by_fault"]) == len(Fault)


def test_a_budget_that_is_spent_leaves_what_was_stored(desk_at, small):
    desk, now = desk_at(small), after_close(LAST)

    def fail_after_ten(load):
        if load.dataset == "daily_bars" and len(desk.emulator.log.recent) > 10:
            desk.emulator.knobs.update({"faults": 1.0, "fault_names": ["UNAVAILABLE_HTML"]})

    report = desk.backfill(now, on_load=fail_after_ten)
    assert (report.exit_code, report.may_pass) == (1, True)
    assert "what is loaded stays" in report.failed["massive/daily_bars"]
    stored = report.as_json()["sessions"]
    assert stored > 0
    assert desk.wrong_bars() == []
    desk.emulator.knobs.update({"faults": 0.0, "fault_names": ()})
    assert desk.backfill(now).as_json()["sessions"] == len(small.sessions()) - stored
    insist_on_truth(desk, now)


def test_a_backfill_stopped_anywhere_goes_on_where_it_was(desk_at, small):
    """Stopped by an error from outside after each of its answers in turn, it ends as if it never had been."""
    desk, now = desk_at(small), after_close(LAST)

    class Stopped(Exception):
        pass

    def stop(load):
        if load.altered:
            raise Stopped

    def stop_at_the_last_session(load):
        """Before any split or dividend is loaded."""
        if load.dataset == "daily_bars" and load.name.endswith(LAST.isoformat()):
            raise Stopped

    stops = 0
    for _ in range(12):
        with pytest.raises(Stopped):
            desk.backfill(now, order="oldest", on_load=stop)
        stops += 1
    assert stops == 12
    with pytest.raises(Stopped):
        desk.backfill(now, order="oldest", on_load=stop_at_the_last_session)
    desk.night(now)
    insist_on_truth(desk, now)


# Splits and dividends that are withdrawn -----------------------------------------------------------


def test_a_split_whose_ex_date_was_corrected_counts_once(world):
    world.bars([bar(symbol, world.date(1)) for symbol in "AB"])
    rows = [split("A", world.date(20)), split("B", world.date(21))]
    world.splits(rows, whole=True, provider="massive")
    rows[0]["ex_date"] = world.date(22)
    summary = world.splits(rows, whole=True, provider="massive")
    assert (summary.inserted, summary.withdrawn, summary.unchanged) == (1, 1, 1)
    assert world.number("SELECT count(*) FROM split_revisions") == 1


def test_a_list_cut_short_withdraws_nothing(world):
    world.bars([bar(f"S{n}", world.date(1)) for n in range(20)])
    rows = [{"symbol": f"S{n}", "ex_date": world.date(20), "cash_amount": 1} for n in range(20)]
    asked = (world.date(0), world.date(100))
    world.load(dividends_payload(rows, asked=asked, provider="massive"))
    summary = world.load(dividends_payload(rows[:10], asked=asked, provider="massive"))
    assert summary.withdrawn == 0
    assert [notice.partition(" that are stored")[0] for notice in summary.notices] == [
        "the list lacks 10 of 20 dividends"
    ]
    assert world.number("SELECT count(*) FROM dividends") == 20


def test_what_lies_outside_a_lists_dates_is_not_withdrawn(world):
    rows = [{"symbol": "A", "ex_date": world.date(n), "cash_amount": 1} for n in (20, 40)]
    world.load(dividends_payload(rows, asked=(world.date(0), world.date(100)), provider="massive"))
    later = {"asked": (world.date(30), world.date(100)), "provider": "massive"}
    assert world.load(dividends_payload(rows[1:], **later)).withdrawn == 0
