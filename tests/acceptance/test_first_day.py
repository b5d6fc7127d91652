"""What a new user does on the first day, by the numbers of shared/cases/users.md where a test has one."""

import pytest

BARS = "symbol,session,open,high,low,close,volume\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "right.csv").write_text(
        BARS + "AAPL,2013-02-28,10,12,9,11,10\nAAPL,2013-03-01,11,13,10,12,10\n"
    )
    (tmp_path / "wrong.csv").write_text(BARS + "AAPL,2013-02-28,1,2,1,2,10\nAPPL,2013-03-01,1,2,1,2,10\n")
    (tmp_path / "us.csv").write_text(BARS + "AAPL,1/4/1999,1,2,1,2,10\nAAPL,1/5/1999,1,2,1,2,10\n")
    (tmp_path / "splits.csv").write_text("symbol,ex_date,split_from,split_to\nAPPL,2013-03-01,1,4\n")
    return tmp_path


def closes(condvest):
    return condvest.done("bars", "AAPL", "--interval", "1", "--format", "csv", "--adjust", "none")


def test_acceptance_3_a_wrong_import_is_mended_in_one_command(fresh, files):
    fresh.done("import", files / "right.csv")
    before = closes(fresh)
    fresh.done("import", files / "wrong.csv")
    assert closes(fresh) != before
    asked = fresh("undo", "2")
    assert asked.returncode == 0
    assert "nothing is stored; --yes does it" in asked.stderr
    assert "undo of load 2" in asked.stderr
    assert closes(fresh) != before
    fresh.done("undo", "2", "--yes")
    assert closes(fresh) == before
    assert "APPL" not in fresh.done("instruments", "--format", "csv")
    assert "archive, daily bars and bars agree" in fresh("verify").stderr
    assert [line.split(",")[0] for line in fresh.done("loads", "--format", "csv").splitlines()[-2:]] == [
        "2",
        "1",
    ]
    # W9: a split under the misspelt name is noted, for nobody has bars under it.
    noted = fresh("import", "--splits", files / "splits.csv")
    assert "no daily bars are loaded of APPL; are the symbols spelled right?" in noted.stderr
    fresh.done("remove", "AAPL", "--yes")
    gone = fresh("bars", "AAPL")
    assert (gone.returncode, "begin with: condvest demo" in gone.stderr) == (1, True)


def test_a_file_of_which_every_row_is_refused_says_why(fresh, files):
    ran = fresh("import", files / "us.csv")
    assert ran.returncode == 3
    assert "us.csv: all 2 rows refused, e.g. line 2: " in ran.stderr
    assert "1/4/1999" in ran.stderr
    quiet = fresh("--quiet", "import", files / "right.csv")
    assert (quiet.returncode, quiet.stderr, quiet.stdout) == (0, "", "")


def test_without_a_command_there_is_help_and_no_error(server):
    for asked in ((), ("db",)):
        ran = server(*asked)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert (ran.stderr.count("Usage: condvest"), "error:" in ran.stderr) == (1, False)
        assert "\b" not in ran.stderr
        assert "x08" not in ran.stderr


def test_what_was_asked_and_is_not_there_is_said(fresh, files):
    """No bar is whole yet; a symbol, an interval and a file that are none; newer files, not a vendor."""
    fresh.done("import", files / "right.csv")
    for asked in (("AAPL",), ()):
        ran = fresh("bars", *asked)
        assert (ran.returncode, len(ran.stdout.splitlines())) == (0, 1)
        said = "no complete bar of 13 sessions; --include-open shows 1 that are open or lack a session"
        assert said in ran.stderr
    later = fresh("bars", "AAPL", "--interval", "1", "--start", "2014-01-02")
    assert (later.returncode, later.stderr.strip()) == (0, "no daily bars match")
    assert (
        "expected a number of sessions, 1 for daily bars, got '1d'"
        in fresh("bars", "--interval", "1d").stderr
    )
    assert [row.split()[0] for row in fresh.done("instruments", "AAPL").splitlines()] == ["symbol", "AAPL"]
    unknown = fresh("instruments", "AAPL,APPL")
    assert (unknown.returncode, "no instrument of the list carries the symbol APPL" in unknown.stderr) == (
        1,
        True,
    )
    absent = fresh("import", files / "absent.csv")
    assert (absent.returncode, "resampled" in absent.stderr) == (1, False)
    stale = fresh("status", "--check").stderr
    assert "load newer files: condvest import FILE" in stale
    assert "condvest run --provider file" not in stale
    (row,) = fresh.done("history", "AAPL", "--session", "2013-03-01").splitlines()[1:]
    assert "11.00  13.00  10.00  12.00" in row


def test_acceptance_2_and_12_fresh_or_not_and_the_runs(fresh, files, tmp_path):
    stale = fresh("status", "--check")
    assert (stale.returncode, "nothing is loaded" in stale.stderr) == (1, True)
    log = tmp_path / "condvest.log"
    assert fresh("--log-file", log, "import", files / "right.csv").returncode == 0
    assert "2 daily bars: 2 inserted" in log.read_text()
    stale = fresh("status", "--check", "--max-behind", "5")
    assert stale.returncode == 1
    assert "file is " in stale.stderr
    assert "sessions behind: its last is 2013-03-01" in stale.stderr
    assert fresh("status", "--check", "--max-behind", "100000").returncode == 0
    assert fresh.json("status", "--check", "--json", code=1)["not_fresh"][0].startswith("file is ")
    # W7: a wrong provider and a wrong setting exit alike, and are recorded so.
    assert fresh("run", "--provider", "yahoo").returncode == 2
    wrong = fresh.__class__(fresh.home, {**fresh.env, "CONDVEST_PROVIDER": "masive"})
    assert wrong("run").returncode == 2
    assert fresh.__class__(fresh.home, {**fresh.env, "CONDVEST_ASK_AGAIN": "x"})("run").returncode == 2
    rows = fresh.done("runs", "--format", "csv").splitlines()[1:]
    assert [row.split(",")[5] for row in rows[:3]] == ["2", "2", "0"]
    assert "belongs before the command" in fresh("run", "--quiet").stderr


def test_acceptance_10_the_last_bars_of_several_symbols(sample):
    rows = sample.done("bars", "AAPL,IBM", "--interval", "1", "--last", "2", "--format", "csv").splitlines()[
        1:
    ]
    assert [(row.split(",")[0], row.split(",")[4]) for row in rows] == [
        ("AAPL", "2013-02-28"),
        ("AAPL", "2013-03-01"),
        ("IBM", "2013-02-28"),
        ("IBM", "2013-03-01"),
    ]


def test_the_list_of_yahoos_symbols(fresh):
    fresh.done("watch", "add", "AAPL", "BRK-B")
    assert fresh.done("watch", "list", "--format", "csv") == (
        "symbol,state,next_ask,note\nAAPL,watched,,\nBRK.B,watched,,\n"
    )
    fresh.done("watch", "remove", "AAPL")
    assert "AAPL" not in fresh.done("watch", "list", "--format", "csv")
    assert "yahoo is not asked about XYZ" in fresh("watch", "remove", "XYZ").stderr
