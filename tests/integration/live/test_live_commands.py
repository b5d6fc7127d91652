"""The commands of the session under way, and the session that is played without a key."""

import re
from pathlib import Path

import pytest

from condvest.live.demo import play
from tests.support.in_process import Program
from tests.support.worlds.live_script import DAY, SESSION, Script

PAGE = Path(__file__).parents[3] / "docs/live.md"


@pytest.fixture
def condvest(url, tmp_path):
    return Program(url, tmp_path)


def test_the_sample_is_played_as_the_page_shows(workspace):
    """The running bar is on the new basis from the first trade on; at last it is the official one."""
    shown = []
    play(workspace, shown.append)
    (block,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert "\n".join(shown) + "\n" == block


def test_without_a_key_the_command_says_what_needs_none(condvest):
    ran = condvest("live", "run")
    assert ran.code == 2
    assert "MASSIVE_API_KEY" in ran.err
    assert "condvest live replay" in ran.err


def test_seconds_that_are_no_number_are_refused(condvest):
    ran = condvest("live", "run", "--interval", "nan")
    assert (ran.code, "nan is no number of seconds" in ran.err) == (2, True)


def test_status_and_compare_before_anything_was_collected(condvest):
    assert condvest("live", "status", "--json").json == {"run_id": None}
    ran = condvest("live", "status")
    assert (ran.code, "nothing has been collected" in ran.err) == (0, True)
    assert condvest("live", "compare", "--format", "csv").out.startswith("session,phase,field,compared")
    assert condvest("live", "replay", "--session", "2024-03-05").code == 2


def test_a_collected_session_on_the_command_line(world, condvest):
    """Status tells of the run, bars show it when asked, a replay comes to the rows, then figures."""
    ordinal = world.number("SELECT ordinal FROM sessions WHERE session = %s", SESSION)
    row = {"open": 10, "high": 12, "low": 9, "close": 11, "volume": 500, "vwap": 10.5, "trades": 3}
    load = [{"symbol": "A", "session": world.date(ordinal - 1), **row}]
    world.bars(load, provider="massive", whole=(ordinal - 1, ordinal - 1))
    script = Script([("15:00", {"A": DAY})])
    script.job(world.workspace, condvest.home / "live").run(once=True)
    status = condvest("live", "status", "--json").json
    assert (status["session"], status["phase"], status["live_bars"]) == (SESSION.isoformat(), "open", 1)
    assert "data_through" in condvest("live", "status").out
    bars = condvest("bars", "A", "--interval", "1", "--live", "--format", "csv").out.splitlines()
    assert bars[0].endswith("is_complete,is_live,data_through")
    assert bars[-1].endswith("false,true,2024-03-05 20:00:00+00:00")
    assert "live" in condvest("bars", "A", "--interval", "1", "--live").out
    replayed = condvest("live", "replay", "--session", SESSION, "--json")
    assert (replayed.code, replayed.json["differing"]) == (0, 0)
    minutes = condvest("live", "minutes", "--session", SESSION, "--format", "csv")
    assert minutes.out.splitlines() == ["symbol,start,open,high,low,close,volume,vwap,volume_so_far"]
    world.bars(
        [{**load[0], "session": SESSION, "close": 11.11}], provider="massive", whole=(ordinal, ordinal)
    )
    compared = condvest("live", "compare", "--format", "csv").out.splitlines()
    (close,) = [line.split(",") for line in compared if ",close," in line]
    assert close[:5] == [SESSION.isoformat(), "open", "close", "1", "0"]
    assert round(float(close[7]), 6) == round(0.11 / 11.11, 6)


def test_a_database_of_an_older_schema_is_refused_before_the_vendor_is_asked(world, condvest):
    ((record,),) = world.ask("SELECT to_jsonb(m)::text FROM schema_migrations AS m WHERE version = 10")
    world.looking.execute("DELETE FROM schema_migrations WHERE version = 10")
    try:
        ran = condvest("live", "run", "--once")
    finally:
        world.looking.execute(
            "INSERT INTO schema_migrations SELECT * FROM jsonb_populate_record(NULL::schema_migrations, %s)",
            (record,),
        )
    assert ran.code == 1
    assert "0010_live; run: condvest db migrate" in ran.err
