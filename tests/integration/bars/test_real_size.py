"""A correction of one daily bar among fifteen million recomputes six windows, and says so."""

import time

import pytest

from condvest.batch_layer.shared.settings import INTERVALS
from tests.support.in_process import Program
from tests.support.payloads import bar

INSTRUMENTS, SESSIONS = 12_000, 1_260
CORRECTED = 600
_MORE = f"first, generate_series(1, {SESSIONS - 1}) AS later WHERE first.ordinal = 0"
_MORE_BARS = (
    "INSERT INTO daily_bars SELECT instrument_id, first.ordinal + later, open, high, low, close, volume, "
    f"vwap, trades, load_id FROM daily_bars AS {_MORE}"
)
_MORE_SESSIONS = (
    "INSERT INTO ledger SELECT provider_id, first.ordinal + later, status, load_id, first_load_id, "
    f"completed_by, rows, passed, inserted, changed, withdrawn, refused FROM ledger AS {_MORE}"
)
_BARS = "SELECT bars::text FROM bars WHERE instrument_id = %s ORDER BY 1"


def answer(world, ordinal, of_the_first):
    """Load a vendor's answer for a session of the whole market; what differs of its first row is told."""
    same = bar("all", world.date(0), vwap=None, volume=1000, trades=10)
    rows = [
        same | {"symbol": f"S{number:05}", "session": world.date(ordinal)} for number in range(INSTRUMENTS)
    ]
    rows[0] |= of_the_first
    return world.bars(rows, provider="massive", whole=(ordinal, ordinal))


@pytest.mark.long
def test_one_correction_among_fifteen_million_recomputes_six_windows(world, tmp_path):
    """The vendor's answer for session 600 comes again, with another high for one of 12,000 instruments."""
    began = time.perf_counter()
    answer(world, 0, {})
    for step in (_MORE_BARS, _MORE_SESSIONS, "TRUNCATE changes", "VACUUM ANALYZE"):
        world.looking.execute(step)
    assert world.number("SELECT count(*) FROM daily_bars") == INSTRUMENTS * SESSIONS
    first = world.instrument("S00000")
    world.looking.execute(
        "INSERT INTO changes (partition, instrument_id, first_ordinal, last_ordinal) VALUES (%s, %s, 0, %s)",
        (first % 64, first, SESSIONS - 1),
    )
    world.resample()
    before = {text for (text,) in world.ask(_BARS, first)}
    filled = time.perf_counter()
    summary = answer(world, CORRECTED, {"high": 100_000.0})
    loaded = time.perf_counter()
    assert (summary.changed, summary.unchanged) == (1, INSTRUMENTS - 1)
    said = Program(world.url, tmp_path).done("resample").err
    done = time.perf_counter()
    print(
        f"filled in {filled - began:.1f} s, loaded in {loaded - filled:.2f} s, {done - loaded:.2f} s: {said}"
    )
    assert "resampled 6 windows: 0 bars inserted, 6 changed, 0 removed, 0 unchanged" in said
    after = {text for (text,) in world.ask(_BARS, first)}
    assert len(before - after) == len(after - before) == 6
    assert world.ask('SELECT "interval", "window" FROM bars WHERE high = 100000 ORDER BY 1') == [
        (n, CORRECTED // n) for n in INTERVALS
    ]
    assert world.number("SELECT count(*) FROM changes") == 0
