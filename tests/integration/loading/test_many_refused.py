"""As many refused rows as a file of 10 MB can have: loaded, known again and listed within bounds."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONDVEST = Path(sys.executable).with_name("condvest")
ROW = "A,2024-01-03,1,0,1,1,1\n"  # its high lies below its low
COUNT = 10_000_000 // len(ROW)
MOST_MEMORY = 1 << 30


@pytest.fixture
def measured(url, tmp_path):
    """Run a command; return what it said, its bytes of memory at their most, and its seconds of processor."""

    def run(*command, code):
        process = subprocess.Popen(
            (CONDVEST, "--home", str(tmp_path / "home"), "--database-url", url, *map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        assert process.returncode == code, out
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        seconds = usage.ru_utime + usage.ru_stime
        print(f"{command[0]}: {peak >> 20} MiB, {seconds:.0f} s")
        return out, peak, seconds

    return run


@pytest.mark.long
def test_half_a_million_refused_rows_are_loaded_and_listed_within_bounds(measured, tmp_path):
    for number, name in enumerate(("once", "again")):
        path = tmp_path / f"{name}.csv"
        path.write_text("symbol,session,open,high,low,close,volume\n" + ROW * (COUNT - number))
        # All of the second file are refused again: only the first one's are news.
        said, peak, seconds = measured("import", path, code=0 if number else 3)
        assert f"{COUNT - number:,}" in said
        assert peak < MOST_MEMORY
        assert seconds < 120
    shown, peak, seconds = measured("refused", code=0)
    assert shown.count("high 0.0 is not above 0") == 1_000
    assert "the first 1,000 rows; --limit N lists more" in shown
    assert peak < MOST_MEMORY // 4
    assert seconds < 20
    listed = tmp_path / "refused.csv"
    _, peak, seconds = measured("refused", "-o", listed, code=0)
    assert peak < MOST_MEMORY
    assert seconds < 120
    with listed.open(newline="") as file:
        assert sum(1 for _ in csv.DictReader(file)) == 2 * COUNT - 1
