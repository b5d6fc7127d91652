"""Massive and Yahoo through the command line, as a person or a scheduler asks them, up to the present."""

import datetime as dt
import random
import re
import subprocess

import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from tests.support.emulators.faults import Fault
from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import Schedule, new_york_date
from tests.support.emulators.yahoo import YahooEmulator
from tests.support.worlds.vendor_truth import Desk, disagreements, unconnected


def last_closed():
    now = dt.datetime.now(dt.UTC)
    schedule = Schedule(new_york_date(now) - dt.timedelta(days=14), new_york_date(now))
    return schedule.dates[schedule.closed_by(now) - 1].astype(dt.date)


@pytest.fixture(scope="module")
def market():
    """The cast and a crowd over about fifty sessions, the last of them the last that closed."""
    last = last_closed()
    return Market(3, 70, last - dt.timedelta(days=75), last, revisions=0)


@pytest.fixture
def massive(market):
    with MassiveEmulator(market, plan="unlimited", dirt=False) as emulator:
        yield emulator


@pytest.fixture
def asking(fresh, massive):
    """The program on an empty database, with a key for the emulator."""
    fresh.env.update(MASSIVE_API_KEY=KEY, CONDVEST_MASSIVE_PLAN="paid", CONDVEST_MASSIVE_BASE_URL=massive.url)
    return fresh


def wrong(condvest, emulator):
    """Return how the database differs from the market's truth."""
    market = emulator.market
    with Database(condvest.url()) as database:
        desk = Desk(database, condvest.home, emulator)
        now = emulator.now()
        start = market.sessions()[0]
        return [
            *disagreements(desk, market, now, start, unknowable=unconnected(market, now)),
            *desk.wrong_bars(),
        ]


def backfill(market, *more):
    return ("backfill", "--provider", "massive", "--start", market.sessions()[0], *more)


def test_a_backfill_and_a_night_store_the_truth_and_a_second_night_nothing(asking, massive, market):
    report = asking.json(*backfill(market, "--json"))
    assert report["sessions"] == len(market.sessions())
    assert asking.json("run", "--provider", "massive", "--json")["inserted"] == 0
    assert wrong(asking, massive) == []
    massive.log.clear()
    told = asking("run", "--provider", "massive")
    assert (told.returncode, massive.calls["grouped"]) == (0, 3)
    assert "resampled nothing" in told.stderr


@pytest.mark.parametrize(
    ("kills", "faults"), [(5, 0.0), pytest.param(20, 0.3, marks=pytest.mark.long, id="20-among-faults")]
)
def test_a_backfill_killed_at_random_moments_and_resumed_ends_in_the_truth(
    asking, massive, market, kills, faults
):
    """It is killed while a call is answered or has failed, a session loaded, or the bars resampled."""
    chance = random.Random(kills)
    massive.knobs.update({"faults": faults, "next_faults": list(Fault.__members__) if faults else []})
    killed = 0
    while killed < kills:
        seen, wanted = massive.log.as_json()["total"], chance.randrange(1, 60 // kills)
        process = asking.start(*backfill(market))
        while process.poll() is None and massive.log.as_json()["total"] < seen + wanted:
            wait(process, 0.01)
        wait(process, chance.random() * 0.1)
        killed += process.poll() is None
        process.kill()
        process.communicate()
    if faults:
        asking(*backfill(market))  # half a market that was given for the whole of it is asked for once more
        assert len(massive.log.as_json()["by_fault"]) == len(Fault)
        massive.knobs.update({"faults": 0.0})
    asking.done(*backfill(market))
    assert wrong(asking, massive) == []
    with psycopg.connect(asking.url()) as connection:
        unended = connection.execute("SELECT count(*) FROM runs WHERE finished_at IS NULL").fetchone()
    assert unended > (0,), "at least one was killed at its work"


def wait(process, seconds):
    """Let a process go on for a while, or to its end."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def test_the_cost_is_told_before_a_call_is_made(asking, massive, market):
    told = asking.json(*backfill(market, "--dry-run", "--json"))
    count = len(market.sessions())
    assert (told["sessions"], told["calls"], told["dry_run"]) == (count, count, True)
    assert massive.calls == {}
    asking.env["CONDVEST_MASSIVE_PLAN"] = "basic"
    said = asking(*backfill(market, "--dry-run")).stderr
    told = re.search(r"([\d,]+) sessions to fetch: ([\d,]+) calls, at least (\d+) minutes", said)
    assert told, said
    assert (told[1], told[2]) == (f"{count:,}", f"{count:,}")
    # Five calls a window of 61 seconds; whether the present window is still free depends on the calls before.
    least = (count - 1) // 5 * 61 / 60
    assert least - 0.5 <= int(told[3]) <= least + 1.5
    assert massive.calls == {}


def test_a_holiday_asked_for_costs_nothing(asking, massive):
    """2025-12-25 was no session."""
    told = asking.json(
        "backfill",
        "--provider",
        "massive",
        "--start",
        "2025-12-25",
        "--end",
        "2025-12-25",
        "--dry-run",
        "--json",
    )
    assert (told["sessions"], massive.calls) == (0, {})


def test_half_a_market_is_partial_and_completed_by_the_next_night(asking, massive, market):
    *_, before, last = market.sessions()
    asking.done(*backfill(market, "--end", before))
    massive.knobs.update({"cut_short": {last.isoformat(): 0.4}})
    report = asking.json("run", "--provider", "massive", "--json", code=3)
    assert report["partial"] == [last.isoformat()]
    assert f"partial, will be fetched again: {last}" in asking("run", "--provider", "massive").stderr
    massive.knobs.update({"cut_short": {}})
    asking.done("run", "--provider", "massive")
    assert wrong(asking, massive) == []


@pytest.mark.parametrize(
    ("plan", "key", "said"),
    [
        ("unlimited", "a-key-that-nobody-knows", "set MASSIVE_API_KEY"),
        ("basic", KEY, "ask for later sessions only, or take a plan that reaches further back"),
    ],
)
def test_a_refusal_says_what_to_do(asking, massive, plan, key, said):
    massive.knobs.update({"plan": plan, "rate": (1000, 1)})
    asking.env["MASSIVE_API_KEY"] = key
    ran = asking("backfill", "--provider", "massive", "--start", "2020-03-02", "--end", "2020-03-03")
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_without_a_key_nothing_is_asked(asking, massive):
    del asking.env["MASSIVE_API_KEY"]
    ran = asking("run", "--provider", "massive")
    assert (ran.returncode, massive.calls) == (2, {})
    assert "set MASSIVE_API_KEY (or POLYGON_API_KEY)" in ran.stderr


def test_what_a_backfill_costs_is_told_without_a_key(asking, massive, market):
    """A free plan reaches two years back: what it leaves out of the years asked for is said."""
    with_key = asking.json(*backfill(market, "--dry-run", "--json"))
    del asking.env["MASSIVE_API_KEY"]
    assert asking.json(*backfill(market, "--dry-run", "--json")) == with_key
    asking.env["CONDVEST_MASSIVE_PLAN"] = "basic"
    asked = ("backfill", "--provider", "massive", "--start", "2020-01-02", "--dry-run")
    said = asking(*asked)
    assert said.returncode == 0
    assert re.search(r"massive gives sessions from \d{4}-\d\d-\d\d on: those from 2020-01-02 to", said.stderr)
    assert asking(*asked, "--from-files").returncode == 0
    assert massive.calls == {}


def test_the_older_names_work_and_the_key_is_nowhere_to_be_seen(asking, massive, market, tmp_path):
    """Not on the screen, in the archive, in the database, nor in a file of the home."""
    key = "5ecr3t-k3y-4711"
    massive.key = key
    del asking.env["MASSIVE_API_KEY"]
    home = type(asking)(tmp_path / "home", asking.env | {"POLYGON_API_KEY": key})
    said = [home(*backfill(market, *more)) for more in (("--json",), ())]
    massive.knobs.update({"faults": 1.0, "fault_names": ["REDIRECT_ELSEWHERE"]})
    massive.key = "another"
    said.append(home("run", "--provider", "massive"))
    assert [one.returncode for one in said] == [0, 0, 1]
    assert key not in "".join(one.stdout + one.stderr for one in said)
    files = [path for path in home.home.rglob("*") if path.is_file()]
    assert len(files) > len(market.sessions())
    assert not [path for path in files if key.encode() in path.read_bytes()]
    assert not [row for row in rows_of(asking.url()) if key in row]
    assert massive.log.as_json()["keys_led_astray"] == 0


def rows_of(url):
    """Return every row of a database as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            for (row,) in connection.execute(f"SELECT t::text FROM {table} t"):
                yield row


def test_a_backfill_from_files_needs_the_keys_of_the_files_and_never_shows_them(asking, massive, market):
    """Today's file is not there yet before 11:00 in New York: a session before the last is the end."""
    asked = backfill(market, "--from-files", "--end", market.sessions()[-3])
    assert "CONDVEST_FLATFILES_KEY_ID" in asking(*asked).stderr
    asking.env.update(
        CONDVEST_FLATFILES_ENDPOINT=massive.url,
        CONDVEST_FLATFILES_KEY_ID="an-id-0815",
        CONDVEST_FLATFILES_SECRET="files-4711",  # noqa: S106  # opens nothing
    )
    ran = asking(*asked, "--json")
    assert ran.returncode == 0, ran.stderr
    assert massive.calls["flat_files"] == len(market.sessions()) - 2
    assert "grouped" not in massive.calls
    assert "files-4711" not in ran.stdout + ran.stderr
    assert not [row for row in rows_of(asking.url()) if "files-4711" in row or "an-id-0815" in row]
    massive.knobs.update({"plan": "basic", "rate": (1000, 1)})
    refused = asking("backfill", "--provider", "massive", "--from-files", "--start", market.sessions()[-2])
    assert refused.returncode == 1
    assert "leave out --from-files" in refused.stderr


# Yahoo ---------------------------------------------------------------------------------------------


@pytest.fixture
def yahoo(market):
    with YahooEmulator(market) as emulator:
        yield emulator


@pytest.fixture
def without_key(fresh, yahoo):
    fresh.env.update(CONDVEST_YAHOO_BASE_URL=yahoo.url)
    return fresh


def closes(condvest, symbol):
    """Return the stored closes of a symbol, by session, to four decimals."""
    with psycopg.connect(condvest.url()) as connection:
        rows = connection.execute(
            "SELECT session, close FROM daily_bars JOIN sessions USING (ordinal) "
            "JOIN symbols USING (instrument_id) WHERE symbol = %s",
            (symbol,),
        ).fetchall()
    return {session: round(close, 2) for session, close in rows}


def true_closes(market, symbol):
    instrument = market.holder(symbol, market.sessions()[-1])
    rows = market.history(instrument)
    return {
        session: round(close, 2)
        for session, close in zip(rows.session.tolist(), rows.close.tolist(), strict=True)
    }


def test_yahoo_is_asked_for_the_symbols_of_a_file_and_a_new_one_gets_its_history(
    without_key, market, tmp_path
):
    """AAPL and MSFT split on the way: what is stored is as traded."""
    listed = tmp_path / "symbols.txt"
    listed.write_text("AAPL  # computers\n\nBRK-B\n")
    without_key.done("run", "--provider", "yahoo", "--symbols-file", listed)
    assert closes(without_key, "AAPL") == true_closes(market, "AAPL")
    assert closes(without_key, "BRK.B") == true_closes(market, "BRK.B")
    without_key.done("run", "--provider", "yahoo", "--symbols", "AAPL,MSFT")
    assert closes(without_key, "MSFT") == true_closes(market, "MSFT")
    night = without_key.json("run", "--provider", "yahoo", "--json")
    assert (night["inserted"], night["changed"]) == (0, 0)


def test_a_symbol_that_yahoo_does_not_know_fails_by_name_and_the_others_are_stored(without_key, market):
    ran = without_key("run", "--provider", "yahoo", "--symbols", "AAPL,NOSUCH,KIM")
    assert ran.returncode == 1
    assert "NOSUCH: Yahoo has no symbol NOSUCH" in ran.stderr
    assert closes(without_key, "AAPL") == true_closes(market, "AAPL")
    assert closes(without_key, "KIM") == true_closes(market, "KIM")


def test_a_file_with_junk_names_its_line(without_key, yahoo, tmp_path):
    listed = tmp_path / "symbols.txt"
    listed.write_text("AAPL\nMSFT <b>\n")
    ran = without_key("run", "--provider", "yahoo", "--symbols-file", listed)
    assert ran.returncode in (1, 2)
    assert "symbols.txt" in ran.stderr
    assert "line 2" in ran.stderr
    assert yahoo.calls == {}
