"""A collector over a session: what it stores, and what it makes of odd snapshots, clocks and calendars."""

import datetime as dt
import errno

import pytest

from condvest.batch_layer.shared.errors import (
    ArchiveError,
    ClockWrong,
    DatabaseFull,
    Superseded,
    VendorRefused,
    VendorUnavailable,
)
from condvest.live.replaying import replayed
from condvest.speed_layer.services.settle import settle_all
from condvest.speed_layer.stores import rows
from condvest.speed_layer.stores.runs import start_run, take_lock
from tests.support.payloads import bar, payload
from tests.support.worlds.live_script import DAY, END, SESSION, ZEROS, Script, at, take_over

ORDINAL_QUERY = "SELECT ordinal FROM sessions WHERE session = %s"


@pytest.fixture
def market(world):
    """A and B of Massive, loaded through the session before."""
    world.ordinal = world.number(ORDINAL_QUERY, SESSION)
    rows = [bar(symbol, world.date(world.ordinal - 1)) for symbol in ("A", "B")]
    world.bars(rows, provider="massive", whole=(world.ordinal - 1, world.ordinal - 1))
    world.resample()
    return world


def collect(world, *steps, **how):
    script = Script([*steps, END], **how)
    options = {"once": True} if len(steps) == 1 else {}
    return script.job(world.workspace, journals(world)).run(**options), script


def journals(world):
    return world.workspace.settings.home / "live"


def stored(world, columns="open, high, low, close, volume, phase"):
    return {
        row[0]: row[1:]
        for row in world.ask(
            f"SELECT symbol, {columns} FROM live_daily_bars JOIN symbols USING (instrument_id) ORDER BY 1"
        )
    }


def run_row(world, columns="state, ended_by, phase, ticks, messages, refused"):
    return world.ask(f"SELECT {columns} FROM live_runs ORDER BY run_id DESC LIMIT 1")[0]


def gaps(world):
    return world.ask("SELECT reason, healed_at IS NOT NULL FROM live_gaps ORDER BY gap_id")


def test_a_session_from_before_the_open_to_its_end(market):
    """No bar from zeros; then the vendor's bar as it stands; settled when it has stopped changing."""
    later = {**DAY, "h": 13.0, "c": 12.5, "v": 900}
    seen = {}
    ending, _ = collect(
        market,
        ("09:00", {"A": ZEROS, "B": ZEROS}),
        ("09:31", {"A": DAY, "B": ZEROS}),
        ("12:00", {"A": later, "B": ZEROS}),
        ("16:01", {"A": later, "B": DAY}),
        ("16:06", {"A": later, "B": DAY}),
        ("16:12", {"A": later, "B": {**DAY, "v": 501}}),
        after=lambda clock: seen.setdefault(clock, stored(market)),
    )
    assert seen["09:00"] == {}
    assert seen["09:31"] == {"A": (10.0, 12.0, 9.0, 11.0, 500.0, "open")}
    assert seen["12:00"] == {"A": (10.0, 13.0, 9.0, 12.5, 900.0, "open")}
    assert seen["16:01"]["B"] == (10.0, 12.0, 9.0, 11.0, 500.0, "closing")
    assert seen["16:12"]["A"] == (10.0, 13.0, 9.0, 12.5, 900.0, "settled")
    assert (ending.exit_code, ending.taken) == (0, 6)
    assert run_row(market) == ("ended", "the session is over", "settled", 6, 6, 0)


def test_a_delayed_feed_is_in_the_phase_of_its_data(market):
    """At 16:10 the data are of 15:55: the session is open by their clock."""
    collect(market, ("16:10", {"A": DAY}), delay=dt.timedelta(minutes=15))
    assert stored(market, "phase, data_through")["A"] == ("open", at("15:55"))
    assert run_row(market, "delay_s") == (900.0,)


def test_an_unknown_symbol_waits_and_a_bad_row_is_kept_with_its_reason(market):
    ending, _ = collect(market, ("10:00", {"A": DAY, "NEW": DAY, "B": {**DAY, "h": 8.0}}))
    assert list(stored(market)) == ["A"]
    assert market.ask("SELECT symbol, close FROM live_unresolved") == [("NEW", 11.0)]
    ((symbol, code, content),) = market.ask("SELECT symbol, code, content FROM live_refused")
    assert (symbol, code) == ("B", "high_below_low")
    assert '"h\\": 8.0' in content
    assert (ending.exit_code, run_row(market, "refused")) == (0, (1,))


def by_instrument(world):
    return dict(world.ask("SELECT instrument_id, close FROM live_daily_bars"))


def test_a_rename_that_is_told_during_the_session_takes_the_rows_along(market):
    """A's bars of the day are B's company's, and none is left with the company that was A."""
    former, company = market.instrument("A"), market.instrument("B")
    later, seen = {**DAY, "h": 20.0, "c": 20.0}, {}

    def after(clock):
        seen[clock] = by_instrument(market)
        if clock == "10:00":
            take_over(market, market.ordinal)
            seen["told"] = by_instrument(market)

    collect(
        market,
        ("10:00", both := {"A": DAY, "B": {**DAY, "c": 10.0}}),
        ("10:01", (both, "10:00")),  # nothing has changed in it
        ("10:02", (both, "10:00")),
        ("10:03", {"A": later, "B": both["B"]}),
        after=after,
    )
    assert seen["10:00"] == {former: 11.0, company: 10.0}
    assert seen["told"] == {}  # of neither it is known whose the row is
    assert seen["10:01"] == {}
    assert seen["10:02"] == {company: 11.0}
    assert seen["10:03"] == {company: 20.0}


def test_a_rename_that_is_told_after_the_session_leaves_no_row_with_who_was_it(market):
    former, company = market.instrument("A"), market.instrument("B")
    collect(market, ("16:10", {"A": DAY}))
    assert by_instrument(market) == {former: 11.0}
    take_over(market, market.ordinal)
    assert by_instrument(market) == {}
    collect(market, ("16:20", {"A": DAY}))
    assert by_instrument(market) == {company: 11.0}


def test_a_rename_of_before_leaves_the_rows_of_the_session(market):
    former = market.instrument("A")
    collect(market, ("10:00", {"A": DAY}))
    market.load(payload("renames", f"from,to,date\nOLD,A,{market.date(market.ordinal - 5)}".encode()))
    assert by_instrument(market) == {former: 11.0}


def test_a_bad_row_leaves_what_was_known_of_its_instrument(market):
    collect(market, ("10:00", {"A": DAY}), ("10:01", {"A": {**DAY, "c": 99.0}}))
    assert stored(market)["A"] == (10.0, 12.0, 9.0, 11.0, 500.0, "open")


def test_a_snapshot_of_another_date_or_of_a_part_of_the_market_changes_nothing(market):
    many = {f"S{number}": DAY for number in range(30)}
    _, script = collect(
        market,
        ("10:00", {**many, "A": DAY}),
        ("10:01", {"A": {**DAY, "c": 9.5}}),
        ("10:02", ({**many, "A": {**DAY, "c": 9.5}}, "09:59")),
        ("10:03", {**many, "A": {**DAY, "c": 11.5}}),
    )
    assert [text.split(":")[0] for text in script.said] == ["snapshot refused"] * 2
    assert "cut short" in script.said[0]
    assert "expected data after" in script.said[1]
    assert stored(market)["A"][3] == 11.5
    assert gaps(market) == [("refused", True)]


def test_a_vendor_that_fails_leaves_a_gap_that_the_next_snapshot_heals(market):
    _, script = collect(
        market, ("10:00", {"A": DAY}), ("10:01", VendorUnavailable("503")), ("10:02", {"A": DAY})
    )
    assert script.said == ["503"]
    assert gaps(market) == [("unavailable", True)]
    ((start, end),) = market.ask("SELECT gap_from, gap_to FROM live_gaps")
    assert (start, end) == (at("10:00"), at("10:02"))


def test_data_that_stand_still_are_said_to_be_stale(market):
    states = []
    collect(
        market,
        ("10:00", {"A": DAY}),
        ("10:05", ({"A": DAY}, "10:00")),
        ("10:06", {"A": DAY}),
        after=lambda _: states.append(run_row(market, "state")[0]),
    )
    assert states == ["polling", "stale", "polling"]


def test_what_the_vendor_refuses_for_good_ends_the_run(market):
    with pytest.raises(VendorRefused):
        collect(market, ("10:00", VendorRefused("403: your plan does not cover it")))
    assert run_row(market, "state, ended_by") == ("ended", "failed")


def test_a_clock_behind_the_data_ends_the_run(market):
    with pytest.raises(ClockWrong, match="set the clock"):
        collect(market, ("10:00", ({"A": DAY}, "10:03")))
    assert stored(market) == {}


@pytest.mark.parametrize(
    ("session", "said"),
    [(dt.date(2024, 3, 3), "2024-03-03 is no session"), (dt.date(2024, 3, 29), "2024-03-29 is no session")],
)
def test_on_a_sunday_and_on_a_holiday_nobody_is_asked(market, session, said):
    ending, _ = collect(market, ("10:00", VendorRefused("asked")), session=session)
    assert (ending.exit_code, market.number("SELECT count(*) FROM live_runs")) == (0, 0)
    assert ending.reason.startswith(said)


def test_an_early_close_ends_three_hours_sooner(market):
    """2023-11-24 closed at 13:00; at 17:30 its late trades are over, and those of a delayed feed too."""
    ending, _ = collect(market, ("17:30", VendorRefused("asked")), session=dt.date(2023, 11, 24))
    assert ending.reason == "the session of 2023-11-24 is over"


def test_a_session_that_never_opens_needs_a_look(market):
    ending, _ = collect(market, ("09:00", {"A": ZEROS}), ("10:00", {"A": ZEROS}), ("11:00", {"A": ZEROS}))
    assert (ending.exit_code, ending.taken) == (3, 3)
    assert "seems not to have opened" in ending.reason
    assert stored(market) == {}


def test_of_two_collectors_the_second_asks_nobody(market):
    with market.workspace.database.another() as other:
        assert take_lock(other)
        ending, _ = collect(market, ("10:00", VendorRefused("asked")))
    assert (ending.exit_code, ending.reason) == (0, "another `condvest live run` collects into this database")


def test_a_collector_that_lost_its_lock_writes_nothing_more(market):
    """A later run has begun: the tick of the one before is refused as a whole."""

    def usurp(clock):
        if clock == "10:00":
            with market.workspace.database.another() as other, other.transaction() as connection:
                start_run(connection, "massive", "poll", market.ordinal)

    with pytest.raises(Superseded):
        collect(market, ("10:00", {"A": DAY}), ("10:01", {"A": {**DAY, "c": 12.0}}), after=usurp)
    assert stored(market)["A"][3] == 11.0


def test_a_run_that_is_stopped_says_so_and_keeps_its_rows(market):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(market, ("10:00", {"A": DAY}), ("10:01", {"A": ZEROS}), after=stop)
    assert run_row(market, "state, ended_by") == ("ended", "stopped")
    assert list(stored(market)) == ["A"]


def test_a_connection_that_is_lost_between_two_ticks_is_opened_again(market):
    """The server ends every connection between two ticks: the tick that follows opens another one."""

    def cut(clock):
        if clock == "10:00":
            market.ask(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    ending, _ = collect(market, ("10:00", {"A": DAY}), ("10:01", {"A": {**DAY, "c": 12.0}}), after=cut)
    assert ending.reason == "the session is over"
    assert stored(market)["A"][3] == 12.0


def test_a_tick_that_loses_its_connection_is_written_once_more(market, monkeypatch):
    """The server ends the connection in the midst of the second tick, whose rows are rolled back."""
    write, ticks = rows.write_bars, []

    def cut(connection, *arguments):
        ticks.append(arguments)
        write(connection, *arguments)
        if len(ticks) == 2:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(rows, "write_bars", cut)
    ending, _ = collect(market, ("10:00", {"A": DAY}), ("10:01", {"A": {**DAY, "c": 12.0}}))
    assert (ending.reason, ending.taken, len(ticks)) == ("the session is over", 2, 3)
    assert stored(market)["A"][3] == 12.0
    assert gaps(market) == []


def test_a_run_that_was_killed_is_ended_by_the_next_and_its_gap_is_healed(market):
    collect(market, ("10:00", {"A": DAY}))
    market.looking.execute("UPDATE live_runs SET state = 'polling', ended_at = NULL, ended_by = NULL")
    collect(market, ("10:30", {"A": {**DAY, "c": 12.0}}))
    assert market.ask("SELECT state, ended_by FROM live_runs ORDER BY run_id")[0] == (
        "ended",
        "superseded by a later run",
    )
    assert gaps(market) == [("restart", True)]
    assert stored(market)["A"][3] == 12.0


def test_a_full_disk_of_the_journal_ends_the_run_and_stores_nothing(market, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("condvest.speed_layer.feeds.journal.zlib.crc32", full)
    with pytest.raises(ArchiveError, match="no room on its disk"):
        collect(market, ("10:00", {"A": DAY}))
    assert stored(market) == {}


def test_a_full_disk_of_the_database_ends_the_run_and_stores_nothing(market):
    market.looking.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER full_disk BEFORE INSERT ON live_daily_bars EXECUTE FUNCTION full_disk()"
    )
    with pytest.raises(DatabaseFull):
        collect(market, ("10:00", {"A": DAY}))
    assert (stored(market), run_row(market, "ticks")) == ({}, (0,))


def test_a_replay_of_the_journal_comes_to_the_stored_rows(market):
    """And says so if they are not: a row that something else has written."""
    collect(
        market,
        ("10:00", {"A": DAY, "B": ZEROS}),
        ("10:01", VendorUnavailable("503")),
        ("10:02", ({"A": {**DAY, "c": 9.5}}, "09:00")),
        ("10:03", {"A": {**DAY, "c": 11.25}, "B": DAY}),
    )
    wanted = {
        "snapshots": 2,
        "refused_snapshots": 1,
        "minutes": 0,
        "replayed_rows": 2,
        "live_rows": 2,
        "differing": 0,
    }
    assert replayed(market.workspace, SESSION) == {"session": SESSION, **wanted}
    market.looking.execute("UPDATE live_daily_bars SET close = 11.5 WHERE close = 11.25")
    assert replayed(market.workspace, SESSION) == {"session": SESSION, **wanted, "differing": 1}


def test_settling_publishes_the_difference_and_removes_the_live_rows(market):
    """A's close is 11.055 officially, half a percent above; B is not traded; the ledger is complete."""
    collect(market, ("15:00", {"A": DAY, "B": DAY}))
    assert settle_all(market.workspace.database) == {}
    official = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.055, "volume": 500, "vwap": 10.5}
    market.bars([bar("A", SESSION, **official)], provider="massive", whole=(market.ordinal, market.ordinal))
    assert list(settle_all(market.workspace.database)) == [market.ordinal]
    assert stored(market) == {}
    figures = "SELECT compared, only_live, only_official, differing FROM live_settlements"
    assert market.ask(figures) == [(1, 1, 0, 1)]
    ((field, live, said),) = market.ask("SELECT field, live, official FROM live_differences")
    assert (field, live, said) == ("close", 11.0, 11.055)
    assert settle_all(market.workspace.database) == {}
    assert market.ask(figures) == [(1, 1, 0, 1)]


def test_a_session_that_is_loaded_while_it_is_collected_ends_the_run(market):
    def load(clock):
        if clock == "16:30":
            market.bars([bar("A", SESSION)], provider="massive", whole=(market.ordinal, market.ordinal))

    ending, _ = collect(
        market, ("16:30", {"A": DAY}), ("16:40", {"A": DAY}), ("16:50", VendorRefused("asked")), after=load
    )
    assert "official bars" in ending.reason
