"""A night ends with what it made look wrong, once: not the same findings every night."""

from dataclasses import replace

import numpy as np
import pytest

from condvest.batch_layer.operations import nightly, upkeep
from condvest.batch_layer.operations.import_files import import_files
from condvest.batch_layer.processing.batch_jobs.shards import Shard
from condvest.batch_layer.shared.settings import Settings
from condvest.screening import screen_of
from tests.integration.vendors.test_ingest_yahoo import FIRST, LAST, AtYahoo
from tests.support.emulators.synthetic.sessions import Schedule
from tests.support.emulators.yahoo import History, YahooEmulator
from tests.support.payloads import BARS, csv_of, json_payload
from tests.support.worlds.vendor_truth import after_close

SESSIONS = Schedule(FIRST, LAST).dates[:40]
SPLIT = 35
"""The session at which the price halves and the volume doubles."""


def halving():
    """A history of small steps that halves at SPLIT, of which no split is known."""
    scale = np.where(np.arange(len(SESSIONS)) >= SPLIT, 0.5, 1.0)
    close = (100 + np.arange(len(SESSIONS)) % 3) * scale
    volume = np.round((1000 + np.arange(len(SESSIONS))) / scale)
    return History("HALF", SESSIONS, close, close * 1.01, close * 0.99, close, volume)


@pytest.fixture
def night(database, tmp_path):
    """Do a night after a session; give its exit code and the findings."""
    with YahooEmulator(histories=[halving()]) as emulator:

        def one(number, *, screened=True):
            now = after_close(SESSIONS[number].item())
            until = number + 1
            whole = emulator.told
            told = replace(whole, **{name: getattr(whole, name)[:until] for name in COLUMNS})
            emulator._histories["HALF"] = told
            emulator.knobs.update({"now": now})
            one.workspace = workspace = AtYahoo(Settings(home=tmp_path), database, now, emulator=emulator)
            screen = screen_of(workspace) if screened else None
            report = nightly.run(workspace, "yahoo", ["HALF"], on_wait=pytest.fail, screen=screen)
            assert not report.failed
            return report.exit_code, [finding.split(": ")[:2] for finding in report.findings]

        emulator.told = halving()
        one.emulator = emulator
        yield one


COLUMNS = ("session", "open", "high", "low", "close", "volume")
MISSING = [f"HALF {SESSIONS[SPLIT]}", "split_missing"]


def test_a_night_names_what_it_made_look_wrong_and_the_next_one_does_not(night):
    assert night(SPLIT - 1) == (0, [])
    assert night(SPLIT) == (3, [MISSING])
    assert night(SPLIT) == (0, [])
    assert night(SPLIT + 1) == (0, [])


def test_what_was_mended_and_comes_back_is_named_again(night):
    night(SPLIT)
    with_split = replace(halving(), splits=((SESSIONS[SPLIT].item(), 1, 2),))
    night.emulator.told = with_split
    assert night(SPLIT + 1) == (0, [])
    night.emulator.told = halving()
    assert night(SPLIT + 2) == (3, [MISSING])


def test_a_night_after_one_that_ended_before_its_screening_names_what_that_one_loaded(night):
    night(SPLIT - 1)
    night(SPLIT, screened=False)
    assert night(SPLIT + 1) == (3, [MISSING])


def test_each_shard_names_its_own_findings_once(night, database):
    """On AWS functions load, and an array of jobs resamples; the shard of the others finds nothing."""
    night(SPLIT - 1)
    night(SPLIT, screened=False)
    with database.transaction() as connection:
        (instrument,) = connection.execute(
            "SELECT instrument_id FROM symbols WHERE symbol = 'HALF'"
        ).fetchone()
        connection.execute(
            "INSERT INTO changes (partition, instrument_id, first_ordinal, last_ordinal) "
            "SELECT instrument_id % 64, instrument_id, ordinal, ordinal FROM daily_bars"
        )
    named = {}
    for index in (1 - instrument % 2, instrument % 2):
        screen = screen_of(night.workspace)
        named[index] = [
            upkeep.resample_all(night.workspace, full=False, shard=Shard(index, 2), screen=screen).findings
            for _ in range(2)
        ]
    (first, again) = named[instrument % 2]
    assert named[1 - instrument % 2] == [[], []]
    assert [finding.split(": ")[:2] for finding in first] == [MISSING]
    assert again == []


def test_an_instrument_that_was_listed_before_its_first_bars_is_screened_too(world, tmp_path):
    """What may change of it begins with the calendar."""
    listing = {"ticker": "HALF", "name": "Half", "active": True, "composite_figi": "F1"}
    world.load(json_payload("instruments", [listing]))
    told = halving()
    rows = [
        dict(zip(BARS, ("HALF", world.date(at), *prices, None, None), strict=True))
        for at, prices in enumerate(zip(*(getattr(told, name).tolist() for name in COLUMNS[1:]), strict=True))
    ]
    path = tmp_path / "half.csv"
    path.write_bytes(csv_of(BARS, rows))
    report = import_files(world.workspace, [(path, "daily_bars")], "own", screen=screen_of(world.workspace))
    assert [finding.split(": ")[:2] for finding in report.findings] == [
        [f"HALF {world.date(SPLIT)}", "split_missing"]
    ]
    assert world.number("SELECT count(DISTINCT instrument_id) FROM symbols WHERE symbol = 'HALF'") == 1
