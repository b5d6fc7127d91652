"""`verify` finds nothing on a sound database, and names every difference that is planted in one."""

import hashlib
import json
from itertools import permutations

import numpy as np
import pytest

from condvest.batch_layer.fetching.check_archive import check_archive
from tests.support.in_process import Program
from tests.support.payloads import bar, dividends_payload, json_payload, split
from tests.support.worlds.long_world import LongWorld
from tests.support.worlds.playing import rename_payload

SESSIONS = range(40)
ONE = 'WHERE "interval" = 13 AND "window" = 1 AND instrument_id = 1'


@pytest.fixture
def condvest(url, tmp_path):
    return Program(url, tmp_path)


@pytest.fixture
def sound(condvest, world):
    """A and B over 40 sessions, a split, a dividend, and then a correction of session 20."""
    rows = [bar(symbol, world.date(at)) for symbol in ("A", "B") for at in SESSIONS]
    dividend = {"symbol": "B", "ex_date": world.date(5), "cash_amount": 0.5}
    world.archive = world.workspace.archive
    world.bars(rows)
    world.splits([split("A", world.date(10))])
    world.dividends([dividend])
    world.bars([bar("A", world.date(20), 1)])
    world.resample()
    assert condvest.done("verify", "--json").json == {"findings": []}
    return world


def archived(condvest, dataset):
    """Return the payloads of a data set in the archive, in the order of their instants."""
    return sorted(
        path for path in (condvest.home / "archive" / "file" / dataset).glob("*/*") if path.suffix != ".json"
    )


def findings(condvest, code=1):
    return [
        (one["what"], one["symbol"], one["where"], one["problem"])
        for one in condvest.done("verify", "--json", code=code).json["findings"]
    ]


def test_a_range_that_was_widened_by_the_last_bits_of_a_double_is_sound(condvest, sound):
    """The open is a bit above the high, as a library that adjusts prices leaves it; it becomes the high."""
    above = float(np.nextafter(12.0, 13))
    row = {**bar("C", sound.date(30)), "open": above, "high": 12.0, "low": 9.0, "close": 10.0}
    assert sound.bars([row]).inserted == 1
    sound.resample()
    assert sound.ask("SELECT open, high, low FROM daily_bars WHERE ordinal = 30 AND low = 9") == [
        (above, above, 9.0)
    ]
    assert findings(condvest, code=0) == []


@pytest.mark.usefixtures("sound")
def test_a_sound_database_is_said_to_be_sound(condvest):
    ran = condvest.done("verify")
    assert (ran.out, ran.err) == ("", "archive, daily bars and bars agree\n")


def test_a_changed_daily_bar_is_named_with_its_payload_and_every_bar_that_holds_it(condvest, sound):
    """Session 7 lies in window 7 // n, whose high it becomes."""
    sound.looking.execute("UPDATE daily_bars SET high = 1e6 WHERE instrument_id = 2 AND ordinal = 7")
    first, _ = archived(condvest, "daily_bars")
    key = first.relative_to(condvest.home / "archive").with_suffix("").as_posix()
    found = findings(condvest)
    date = sound.date(7).isoformat()
    assert found[0] == ("daily_bar", "B", date, f"differs from its payload {key}")
    problem = "differs from what its daily bars say"
    ends = {3: (2, 6, 8), 5: (1, 5, 9), 8: (0, 0, 7), 13: (0, 0, 12), 21: (0, 0, 20), 34: (0, 0, 33)}
    assert found[1:] == [
        ("bar", "B", f"interval {n}, window {window} ({sound.date(a)} to {sound.date(b)})", problem)
        for n, (window, a, b) in ends.items()
    ]


def test_a_missing_daily_bar_is_named_once_though_two_payloads_gave_it(condvest, sound):
    sound.bars([bar("B", sound.date(at)) for at in (7, 8)])
    sound.looking.execute("DELETE FROM daily_bars WHERE instrument_id = 2 AND ordinal = 7")
    condvest.done("resample", "--full")
    assert findings(condvest) == [
        ("daily_bar", "B", sound.date(7).isoformat(), "is not there, though a payload gave it")
    ]


def test_an_extra_daily_bar_is_named(condvest, sound):
    """One under a load that did not give it, and one under a load that there never was."""
    insert = (
        "INSERT INTO daily_bars SELECT instrument_id, ordinal + %s, open, high, low, close, volume, vwap, "
        "trades, %s FROM daily_bars WHERE instrument_id = 2 AND ordinal = 7"
    )
    ((load_id,),) = sound.ask("SELECT min(load_id) FROM loads WHERE dataset = 'daily_bars'")
    sound.looking.execute(insert, (100, load_id))
    sound.looking.execute(insert, (200, 999))
    condvest.done("resample", "--full")
    found = findings(condvest)
    assert [one[:3] for one in found] == [
        ("daily_bar", "", ""),
        ("daily_bar", "B", sound.date(107).isoformat()),
        ("daily_bar", "", ""),
    ]
    assert found[0][3] == "1 rows come from load 999, which gave none of them"
    assert found[1][3].startswith("is in no row of its payload file/daily_bars/all/")
    assert found[2][3].endswith("stored 80 rows, 81 are there")


def test_a_lost_revision_is_noticed(condvest, sound):
    """What was superseded by the correction of session 20."""
    sound.looking.execute("DELETE FROM daily_bar_revisions")
    assert findings(condvest) == [
        ("daily_bar", "A", sound.date(20).isoformat(), "is not there, though a payload gave it")
    ]


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        ("UPDATE splits SET split_to = 3", ("split", "A", 10, "differs from its payload")),
        ("DELETE FROM splits", ("split", "A", 10, "is not there, though a payload gave it")),
        ("UPDATE dividends SET cash_amount = 1", ("dividend", "B", 5, "differs from its payload")),
        ("UPDATE dividends SET ex_date = ex_date + 1", ("dividend", "B", 6, "is in no row of its payload")),
    ],
)
def test_a_changed_or_missing_corporate_action_is_named(condvest, sound, planted, expected):
    sound.looking.execute(planted)
    what, symbol, at, problem = expected
    found = [one for one in findings(condvest) if one[0] != "bar"]
    assert found[0][:3] == (what, symbol, sound.date(at).isoformat())
    assert found[0][3].startswith(problem)


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        (
            f"UPDATE closed_bars SET close = (low + high) / 2 {ONE}",
            "differs from what its daily bars say",
        ),
        (
            f"UPDATE closed_bars SET is_complete = false {ONE}",
            "differs from what its daily bars say",
        ),
        (f"DELETE FROM closed_bars {ONE}", "is missing"),
    ],
)
def test_a_stored_bar_that_is_wrong_is_named_and_mended(condvest, sound, planted, expected):
    """Window 1 of 13 holds the sessions 13 to 25."""
    before = sound.ask("SELECT t::text FROM bars t ORDER BY 1")
    sound.looking.execute(planted)
    where = f"interval 13, window 1 ({sound.date(13)} to {sound.date(25)})"
    assert findings(condvest) == [("bar", "A", where, expected)]
    ran = condvest.done("verify", code=1)
    assert (ran.out, ran.err) == (f"bar A {where} {expected}\n", "1 differences\n")
    assert condvest.done("verify", "--repair").err.endswith("archive, daily bars and bars agree\n")
    assert sound.ask("SELECT t::text FROM bars t ORDER BY 1") == before


def test_a_bar_that_is_among_the_open_and_the_closed_ones_is_named_and_mended(condvest, sound):
    """Only a hand can have put it there; the one of both that stays is made anew."""
    before = sound.ask("SELECT t::text FROM bars t ORDER BY 1")
    sound.looking.execute(
        "INSERT INTO closed_bars SELECT b.* FROM bars_34 b JOIN open_bars o USING (instrument_id) "
        'WHERE instrument_id = 1 AND b."window" = window_34'
    )
    sound.looking.execute("UPDATE open_bars SET close_34 = low_34 WHERE instrument_id = 1")
    problems = [(symbol, problem) for _, symbol, _, problem in findings(condvest)]
    assert ("A", "is stored twice") in problems
    assert condvest.done("verify", "--repair").err.endswith("archive, daily bars and bars agree\n")
    assert sound.ask("SELECT t::text FROM bars t ORDER BY 1") == before


@pytest.mark.parametrize("window", [3, 10**8])
def test_a_stored_bar_of_no_daily_bars_is_named(condvest, sound, window):
    """Within the calendar, and far beyond it, where only a hand can have put it."""
    sound.looking.execute(
        'INSERT INTO closed_bars SELECT "interval", instrument_id, %s, open, high, low, close, volume, vwap, '
        'trades, sessions, is_complete FROM bars WHERE "interval" = 34 AND instrument_id = 1 '
        'AND "window" = 0',
        (window,),
    )
    ((what, symbol, where, problem),) = findings(condvest)
    assert (what, symbol, problem) == ("bar", "A", "has no daily bars")
    assert where.startswith(f"interval 34, window {window}")
    assert condvest("verify", "--repair").code == (0 if window == 3 else 1)


def test_repair_says_what_it_cannot_mend(condvest, sound):
    """A daily bar is not recomputed from anything: the bars follow it, and the finding stays."""
    sound.looking.execute("UPDATE daily_bars SET high = 1e6 WHERE instrument_id = 2 AND ordinal = 7")
    ran = condvest.done("verify", "--repair", "--json", code=1)
    assert [(one["what"], one["symbol"]) for one in ran.json["findings"]] == [("daily_bar", "B")]


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("named", ["A", "B"])
@pytest.mark.parametrize("order", list(map("".join, permutations("dlr"))))
def test_a_dividend_to_come_under_a_name_to_be_given_up_or_to_be_taken_is_not_lost(
    workspace, sessions, order, named, is_whole
):
    """A becomes B on session 10, and an ex-date under either name lies on session 20.

    The dividend, the listing of A, and the news of its rename come in any order. It waits for its instrument
    among the refused rows where the name is nobody's on the ex-date when it comes: A's after the rename, and
    B's once the list has A again.
    """
    world = LongWorld(workspace, sessions)
    dividend = {"symbol": named, "ex_date": world.date(20), "cash_amount": 1.0}
    asked = (world.date(0), world.date(40)) if is_whole else None
    listed = {"name": "One Inc.", "active": True, "composite_figi": "F1"}
    news = {
        "d": [dividends_payload([dividend], provider="massive", asked=asked)],
        "l": [json_payload("instruments", [{"ticker": "A", **listed}], whole=True)],
        "r": [
            json_payload("instruments", [{"ticker": "B", **listed}], whole=True),
            rename_payload(world, "F1", [(0, "A"), (10, "B")]),
        ],
    }
    world.bars([bar("A", world.date(at)) for at in range(6)], provider="massive", whole=(0, 5))
    for what in order:
        for payload in news[what]:
            world.load(payload)
        assert list(check_archive(world.loader(), None, 0)) == []
    waits = (order, named) in (("lrd", "A"), ("rld", "B"))
    assert world.ask("SELECT symbol, code FROM refused_rows") == [(named, "no_instrument")] * waits
    assert (
        world.number("SELECT count(*) FROM dividends JOIN symbols USING (instrument_id)") > 0
    ) is not waits
    world.close()


@pytest.mark.usefixtures("sound")
def test_a_missing_payload_is_named(condvest):
    _, later = archived(condvest, "daily_bars")
    later.unlink()
    ((what, symbol, where, problem),) = findings(condvest)
    assert (what, symbol, where) == ("archive", "", "")
    assert later.name in problem
    assert "No such file" in problem


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize("dataset", ["daily_bars", "splits", "dividends"])
def test_a_damaged_payload_is_named(condvest, dataset):
    """One bit is enough."""
    path = archived(condvest, dataset)[0]
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    ((what, _, _, problem),) = findings(condvest)
    assert what == "archive"
    assert path.stem in problem
    assert "restore it from a backup" in problem


@pytest.mark.usefixtures("sound")
def test_a_description_of_an_earlier_version_that_was_changed_is_named(condvest):
    """It has no digest of its own, so what the load says of its payload decides."""
    path = archived(condvest, "splits")[0]
    description = path.with_suffix(".json")
    told = json.loads(description.read_bytes())
    del told["description_digest"]
    description.write_text(json.dumps(told))
    assert condvest.done("verify", "--json").json == {"findings": []}
    description.write_text(json.dumps(told | {"name": "another.csv"}))
    ((what, _, _, problem),) = findings(condvest)
    assert what == "archive"
    assert "is described with name another.csv" in problem


@pytest.mark.usefixtures("sound")
def test_a_payload_without_a_load_is_told_and_no_difference(condvest, tmp_path):
    path = tmp_path / "junk.csv"
    path.write_text("symbol,session,open\nA,2024-06-03\n")
    condvest.done("import", path, code=1)
    ran = condvest.done("verify")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (junk,) = (one for one in archived(condvest, "daily_bars") if digest[:16] in one.name)
    assert "1 archived payloads have no load" in ran.err
    assert junk.stem in ran.err


def test_bars_that_wait_to_be_resampled_are_named_and_not_called_wrong(condvest, sound):
    """A load without the resampling after it, as after a crash."""
    sound.bars([bar("A", sound.date(at), 2) for at in (3, 30)])
    said = condvest.done("verify", "--json").json
    assert said["findings"] == []
    assert (said["waiting"]["instruments"], said["waiting"]["sessions"]) == (1, 2)


def test_a_sample_is_repeatable_and_finds_in_the_end_what_all_would(condvest, sound):
    """Of four loads and two instruments one each is looked at; which, is the seed's choice."""
    sound.looking.execute(
        'UPDATE closed_bars SET sessions = 1 WHERE "interval" = 34 AND instrument_id = 2 AND "window" = 0'
    )
    one = [condvest("verify", "--sample", "1", "--seed", seed).code for seed in range(12)]
    assert one == [condvest("verify", "--sample", "1", "--seed", seed).code for seed in range(12)]
    assert set(one) == {0, 1}
    assert condvest("verify", "--sample", "2", "--seed", "5").code == 1
    assert condvest("verify", "--sample", "0").code == 2
