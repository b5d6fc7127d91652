"""The nightly job, the demo, the server's commands and the doctor, as a person or a scheduler runs them."""

import re
import signal
from contextlib import contextmanager

import psycopg
import pytest

RUN_LOCK = "SELECT pg_advisory_lock(hashtext('condvest run'), 0)"
WAITERS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = %s"


@contextmanager
def held_up(url):
    """Hold up every `condvest run` on the database; yields what returns once so many wait."""
    with psycopg.connect(url, autocommit=True) as connection:
        (oid,) = connection.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        connection.execute(RUN_LOCK)

        def until(waiting, processes):
            while connection.execute(WAITERS, (oid,)).fetchone()[0] < waiting:
                assert all(process.poll() is None for process in processes)

        yield until


def end(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_two_runs_at_once_do_the_work_once(fresh):
    """Both wait for a third; then one does the work, the other waits for it and finds nothing left."""
    fresh.done("db", "migrate")
    with held_up(fresh.url()) as until:
        two = [fresh.start("run", "--provider", "sample"), fresh.start("run", "--provider", "sample")]
        until(2, two)
    ends = [end(process) for process in two]
    assert [code for code, _, _ in ends] == [0, 0], ends
    said = sorted(err for _, _, err in ends)
    assert sum("12,154 inserted" in err for err in said) == 1
    assert sum("no session is missing" in err for err in said) == 1
    assert all("waited for another `condvest run` to finish" in err for err in said)


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_run_that_is_stopped_can_be_run_again(fresh, sent, code):
    fresh.done("db", "migrate")
    with held_up(fresh.url()) as until:
        process = fresh.start("run", "--provider", "sample")
        until(1, [process])
        process.send_signal(sent)
        ended, out, err = end(process)
    assert (ended, out) == (code, "")
    assert "Traceback" not in err
    assert sent == signal.SIGKILL or "run the command again to continue" in err
    assert fresh.json("run", "--provider", "sample", "--json")["inserted"] == 12154


def test_run_reports_as_json_and_does_nothing_the_second_time(fresh):
    first = fresh.json("run", "--provider", "sample", "--json")
    assert (first["rows"], first["inserted"], first["sessions"], first["refused"]) == (12154, 12154, 3270, {})
    assert first["resampled"]["inserted"] == sum(first["resampled"]["windows"].values())
    second = fresh.json("run", "--provider", "sample", "--json")
    assert (second["inserted"], second["changed"], second["withdrawn"]) == (0, 0, 0)
    assert set(second["resampled"]["windows"].values()) == {0}
    full = fresh.json("resample", "--full", "--json")
    assert full["windows"] == first["resampled"]["windows"]
    assert (full["inserted"], full["changed"], full["removed"]) == (0, 0, 0)


def test_backfill_says_what_it_costs_and_goes_on_where_it_was(fresh):
    asked = ("backfill", "--provider", "sample", "--start", "2013-02-01")
    told = fresh.json(*asked, "--dry-run", "--json")
    assert (told["sessions"], told["calls"], told["dry_run"]) == (20, 0, True)
    assert fresh.json("status", "--json")["daily_bars"] == 0
    fresh.done(*asked)
    assert fresh.json(*asked, "--dry-run", "--json")["sessions"] == 0


def test_the_demo_shows_bars_and_status_and_can_be_shown_again(fresh):
    first, second = fresh("demo"), fresh("demo")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "AAPL    2005-02-15  2005-03-04  43.33  45.44  41.22  42.81  537,593,900" in first.stdout
    assert "What to try next:" in first.stdout
    assert "12,154 inserted" in first.stderr
    assert "\x1b" not in first.stdout + first.stderr
    assert "no session is missing" in second.stderr
    table = first.stdout.index("Sessions")
    assert second.stdout[:table] == first.stdout[:table]


def test_up_keeps_the_server_and_down_stops_it(tmp_path, server):
    other = type(server)(tmp_path / "home")
    try:
        up = other("db", "up")
        assert up.returncode == 0
        assert up.stdout.strip() == other.url()
        assert "db" not in up.stderr.split(":", maxsplit=1)[0]
        with psycopg.connect(up.stdout.strip()) as connection:
            assert connection.execute("SELECT count(*) > 18000 FROM sessions").fetchone() in [
                (True,),
                (False,),
            ]
        assert "running" in other.done("doctor")
        down = other("db", "down")
        assert (down.returncode, down.stdout) == (0, "")
        assert "stopped" in down.stderr
        assert "not running" in other.done("doctor")
        assert other("db", "down").returncode == 0
    finally:
        other("db", "down", "--now")


def test_a_command_without_up_leaves_no_server(tmp_path, server):
    other = type(server)(tmp_path / "home")
    try:
        other.done("db", "migrate")
        assert "not running" in other.done("doctor")
    finally:
        other("db", "down", "--now")


def test_the_shell_is_psql_with_its_arguments_and_exit_code(server):
    assert server.done("db", "shell", "-Atc", "SELECT 6 * 7") == "42\n"
    assert server("db", "shell", "-c", "SELECT nonsense").returncode == 1


def test_url_is_that_of_the_setting_or_of_the_option(server):
    assert server.on("postgresql:///somewhere").done("db", "url") == "postgresql:///somewhere\n"
    assert server("--database-url", "postgresql:///x", "db", "url").stdout == "postgresql:///x\n"


def test_up_and_down_are_for_the_embedded_server(server):
    for command in ("up", "down"):
        ran = server.on("postgresql:///somewhere")("db", command)
        assert ran.returncode == 2
        assert "CONDVEST_DATABASE_URL names another database" in ran.stderr


def test_migrate_says_what_it_applied(without_schema, root):
    there = sorted(path.stem for path in (root / "batch_layer/database/migrations").glob("*.sql"))
    assert without_schema.json("db", "migrate", "--json") == {"applied": there, "users": []}
    assert without_schema.json("db", "migrate", "--json") == {"applied": [], "users": []}
    assert "nothing to apply" in without_schema("db", "migrate").stderr


def test_a_database_that_is_empty_is_not_made_by_reading(without_schema):
    ran = without_schema("bars")
    assert ran.returncode == 1
    assert "condvest db migrate" in ran.stderr


def test_the_doctor_finds_all_well(server, fresh):
    checks = server.json("doctor", "--json")["checks"]
    (calendar,) = (check["found"] for check in checks if check["name"] == "calendar")
    assert re.search(
        r"1926-01-02 to \S+, pandas-market-calendars==\S+; exchange-calendars==\S+ agrees", calendar
    )
    assert [check["name"] for check in checks] == [
        "python",
        "home",
        "disk",
        "calendar",
        "server binaries",
        "database",
    ]
    assert all(check["ok"] for check in checks)
    fresh.done("db", "migrate")
    assert "schema up to date" in fresh.done("doctor")


def test_the_doctor_says_how_to_mend_what_is_wrong(server, tmp_path):
    blocked = tmp_path / "file"  # in which not even root can make a home
    blocked.write_text("")
    wrong = type(server)(
        blocked / "home",
        {"CONDVEST_DATABASE_URL": f"postgresql:///x?host={tmp_path}", "CONDVEST_POSTGRES_BIN": str(tmp_path)},
    )
    ran = wrong("doctor")
    assert ran.returncode == 1
    assert ran.stdout.count("WRONG") >= 2
    assert "set CONDVEST_HOME to a directory that you own" in ran.stderr
    assert "CONDVEST_POSTGRES_BIN" in ran.stderr
    assert "cannot reach the database" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("command", [["status"], ["run"], ["db", "up"], ["doctor"]])
def test_a_home_that_cannot_be_made_is_named(server, command, tmp_path):
    """A file stands where the home should be."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    ran = type(server)(blocked / "home")(*command)
    assert ran.returncode == 1
    assert str(blocked) in ran.stdout.replace("\n", "") + ran.stderr
    assert "Traceback" not in ran.stderr


def test_settings_that_cannot_be_are_named(server):
    ran = type(server)(server.home, {"CONDVEST_ASK_AGAIN": "some"})("status")
    assert ran.returncode == 2
    assert "CONDVEST_ASK_AGAIN" in ran.stderr
