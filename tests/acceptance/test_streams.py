"""Standard streams that a launcher closed, or that lead where nothing can be written."""

import itertools
import subprocess

import pytest

from tests.acceptance.conftest import PROGRAM, fresh_on

SYMBOL = ("bars", "ACME", "--interval", "1")
CLOSED = {"in": "<&-", "out": ">&-", "err": "2>&-"}
EACH_COMBINATION = [names for count in range(1, 4) for names in itertools.combinations(CLOSED, count)]


@pytest.fixture(scope="module")
def acme(server, prepared, tmp_path_factory):
    """The program on a database of one bar."""
    file = tmp_path_factory.mktemp("files") / "acme.csv"
    file.write_text("symbol,session,open,high,low,close,volume\nACME,2024-06-03,1,1,1,1,5\n")
    condvest = fresh_on(server, prepared)
    condvest.done("import", file)
    return condvest


def ran(condvest, redirections, *arguments):
    """Run with redirections as a shell writes them."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=condvest.environ,
        timeout=120,
    )


@pytest.mark.parametrize("closed", EACH_COMBINATION, ids="+".join)
def test_closed_streams_lose_no_data_without_a_word_and_mix_nothing(acme, closed):
    """Without standard output a command that has data fails, in one line; no stream gets another's text."""
    done = ran(acme, " ".join(CLOSED[name] for name in closed), *SYMBOL, "--format", "csv")
    if "out" in closed:
        assert (done.returncode, done.stdout) == (1, "")
        if "err" not in closed:
            (line,) = done.stderr.splitlines()
            assert line.startswith("error: cannot write the output")
            assert "standard output is closed" in line
    else:
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    if "err" in closed:
        assert done.stderr == ""


@pytest.mark.parametrize("arguments", [(*SYMBOL, "--format", "parquet"), ("status",)], ids=" ".join)
def test_every_kind_of_data_fails_on_a_closed_output(acme, arguments):
    done = ran(acme, ">&-", *arguments)
    assert done.returncode == 1
    assert "standard output is closed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_message_never_comes_on_standard_output(acme):
    done = ran(acme, "2>&-", "bars", "NOSUCH")
    assert (done.returncode, done.stdout) == (1, "")


def test_no_name_of_a_closed_output_takes_data(acme):
    done = ran(acme, ">&-", *SYMBOL, "-o", "/dev/stdout")
    assert done.returncode == 1
    assert "standard output is closed" in done.stderr


def test_a_file_is_written_whatever_is_closed(acme, tmp_path):
    done = ran(acme, "<&- >&- 2>&-", *SYMBOL, "-o", tmp_path / "bars.csv")
    assert done.returncode == 0
    assert len((tmp_path / "bars.csv").read_text().splitlines()) == 2
    assert ran(acme, ">&-", *SYMBOL, "-o", "/dev/null").returncode == 0


def test_a_server_is_started_whatever_is_closed(tmp_path, acme):
    condvest = type(acme)(tmp_path)
    try:
        assert ran(condvest, "<&- >&- 2>&-", "db", "up").returncode == 0
        assert condvest.json("status", "--json")["daily_bars"] == 0
    finally:
        condvest("db", "down", "--now")


@pytest.mark.parametrize("redirections", ["2>/dev/full", "2>&1 >/dev/null | true"])
def test_work_does_not_fail_because_nobody_can_be_told(acme, redirections, tmp_path):
    """A full disk under standard error, or a reader of it that has gone."""
    file = tmp_path / "again.csv"
    file.write_text("symbol,session,open,high,low,close,volume\nAGAIN,2024-06-03,1,1,1,1,5\n")
    script = f'{{ "$@"; echo $? >"{tmp_path}/code"; }} {redirections}'
    subprocess.run(
        ["sh", "-c", script, "sh", PROGRAM, "import", file], check=False, env=acme.environ, timeout=120
    )
    assert (tmp_path / "code").read_text() == "0\n"


def test_a_full_disk_under_the_output_is_told(acme):
    done = ran(acme, ">/dev/full", *SYMBOL)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
