"""SQL statements in a process of their own: what they may take, and what they cannot reach."""

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.opening import open_published
from condvest.serving_layer.sql.limits import (
    BadStatement,
    Limits,
    StatementTimeout,
    StatementTooLarge,
    WorkerLost,
)
from condvest.serving_layer.sql.process import SqlProcess


@pytest.fixture(scope="module")
def place(sample_target):
    return Path(sample_target.name)


@pytest.fixture(scope="module")
def sql(place):
    process = SqlProcess(place)
    yield process
    process.close()


@pytest.fixture(scope="module")
def hasty(place):
    process = SqlProcess(place, Limits(seconds=1.0))
    yield process
    process.close()


@pytest.fixture(scope="module")
def source(place):
    return open_published(Settings(home=place, published_at=str(place)))


def rows(process, statement):
    return process.ask(statement)[0].to_pylist()


def test_every_data_set_of_the_version_is_a_view_of_its_files(sql, source):
    table, version = sql.ask("SHOW TABLES")
    assert version == source.version
    assert sorted(table["name"].to_pylist()) == sorted(source.manifest.files)
    for name in ("daily_bars", "bars_34", "splits", "instruments", "sessions"):
        lying = pa.concat_tables([pq.read_table(path) for path in source.files(name)])
        assert rows(sql, f"SELECT count(*) AS n FROM {name}") == [{"n": len(lying)}]


def test_values_are_those_of_the_files_to_the_bit(sql, source):
    lying = pa.concat_tables([pq.read_table(path) for path in source.files("bars_13")])
    order = [("instrument_id", "ascending"), ("window", "ascending")]
    got, _ = sql.ask('SELECT * FROM bars_13 ORDER BY instrument_id, "window"')
    assert got.cast(lying.schema).equals(lying.sort_by(order))


def test_filters_are_those_of_the_rows(sql, source):
    lying = pa.concat_tables([pq.read_table(path) for path in source.files("daily_bars")]).to_pylist()
    wanted = [
        (row["session"], row["close"])
        for row in lying
        if row["instrument_id"] == 3 and row["session"].year == 2010 and row["volume"] > 5e6
    ]
    got = rows(
        sql,
        "SELECT session, close FROM daily_bars WHERE instrument_id = 3 AND volume > 5e6 "
        "AND session BETWEEN DATE '2010-01-01' AND DATE '2010-12-31' ORDER BY session",
    )
    assert [(row["session"], row["close"]) for row in got] == wanted
    assert wanted


def test_answers_hold_types_that_every_format_has(sql):
    (row,) = rows(
        sql,
        "SELECT sum(i) AS whole, 1.25 AS part, 0.0::DOUBLE / 0 AS nothing, 1::DOUBLE / 0 AS endless, "
        "NULL AS n, TIMESTAMPTZ '2024-07-01 12:00:00+02' AS at FROM range(4) AS r(i)",
    )
    at = row.pop("at")
    assert row == {"whole": 6, "part": 1.25, "nothing": None, "endless": None, "n": None}
    assert at.isoformat() == "2024-07-01T10:00:00+00:00"


HOSTILE = [
    ("ATTACH '{own}' AS other", "got ATTACH"),
    ("COPY bars_13 TO '{own}'", "got COPY"),
    ("COPY (SELECT 1) TO '{own}' (FORMAT csv)", "got COPY"),
    ("EXPORT DATABASE '{own}'", "got EXPORT"),
    ("INSTALL httpfs", "got LOAD"),
    ("LOAD httpfs", "got LOAD"),
    ("SET enable_external_access = true", "got SET"),
    ("SET memory_limit = '64GB'", "got SET"),
    ("RESET lock_configuration", "got SET"),
    ("PRAGMA database_list", "got PRAGMA"),
    ("CALL pragma_version()", "got CALL"),
    ("CREATE TABLE t AS SELECT 1", "got CREATE"),
    ("CREATE SECRET s (TYPE http)", "got CREATE"),
    ("INSERT INTO bars_13 SELECT * FROM bars_13", "got INSERT"),
    ("DROP VIEW bars_13", "got DROP"),
    ("SELECT 1; SELECT 2", "got SELECT, SELECT"),
    ("SELECT 1; COPY bars_13 TO '{own}'", "got SELECT, COPY"),
    ("", "got nothing"),
    ("-- SELECT 1", "got nothing"),
    ("SELECT * FROM read_csv('{own}')", "file system operations are disabled"),
    ("SELECT * FROM read_text('{own}')", "file system operations are disabled"),
    ("SELECT * FROM '{own}'", "file system operations are disabled"),
    ("SELECT * FROM glob('{own}')", "file system operations are disabled"),
    ("SELECT * FROM read_parquet('{published}/*/*.parquet')", "file system operations are disabled"),
    ("SELECT * FROM query('COPY bars_13 TO ''{own}''')", "Parser Error"),
    ("SELECT * FROM table_of_the_process", "does not exist"),
    ("SELEC 1", "syntax error"),
    ("SELECT $1", "not provided"),
    ("SELECT 1 AS a, 2 AS a", "two columns are named 'a'"),
    ("SELECT INTERVAL 1 DAY AS i", "cast it"),
    ("SELECT 170141183460469231731687303715884105727::HUGEINT AS i", "beyond 64 bits"),
]


@pytest.mark.parametrize(("statement", "said"), HOSTILE, ids=[statement for statement, _ in HOSTILE])
def test_only_one_select_over_the_views_is_answered(sql, place, tmp_path, statement, said):
    own = tmp_path / "own.csv"
    own.write_text("a,b\n1,2\n")
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    with pytest.raises(BadStatement) as refused:
        sql.ask(statement.format(own=own, published=place))
    assert said in str(refused.value)
    assert own.read_text() == "a,b\n1,2\n"
    assert list(tmp_path.iterdir()) == [own]
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_settings_are_locked(sql):
    assert rows(
        sql,
        "SELECT name, value FROM duckdb_settings() WHERE name IN ('enable_external_access', "
        "'lock_configuration', 'autoload_known_extensions', 'temp_directory', 'threads') ORDER BY name",
    ) == [
        {"name": "autoload_known_extensions", "value": "false"},
        {"name": "enable_external_access", "value": "false"},
        {"name": "lock_configuration", "value": "true"},
        {"name": "temp_directory", "value": ""},
        {"name": "threads", "value": "1"},
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c",
        "SELECT count(*) FROM daily_bars a, daily_bars b, daily_bars c WHERE a.close < b.close + c.close",
    ],
    ids=["recursion without end", "cross join"],
)
def test_what_takes_too_long_is_ended_and_the_next_statement_is_answered(hasty, statement):
    with pytest.raises(StatementTimeout, match="may take 1 s"):
        hasty.ask(statement)
    assert rows(hasty, "SELECT 42 AS n") == [{"n": 42}]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT * FROM range(100001)", "more than 100000 rows"),
        ("SELECT repeat('x', 1000) FROM range(99000)", "64 MiB"),
        ("SELECT repeat('x', 2000000000)", "512 MiB"),
        ("SELECT list(r.range)::VARCHAR FROM range(100000000) AS r", "512 MiB"),
        ("SELECT r.range FROM range(300000000) AS r ORDER BY hash(r.range) LIMIT 9000000", "512 MiB"),
    ],
)
def test_what_is_too_large_is_refused_and_nothing_is_spilled(sql, statement, said):
    with pytest.raises(StatementTooLarge) as refused:
        sql.ask(statement)
    assert said in str(refused.value)
    assert rows(sql, "SELECT 42 AS n") == [{"n": 42}]


def test_as_many_rows_as_allowed_come(sql):
    assert sql.ask("SELECT * FROM range(100000)")[0].num_rows == 100_000


def test_statements_of_several_threads_each_get_their_own_answer(sql):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: rows(sql, f"SELECT {n} AS n"), range(40)))
    assert answers == [[{"n": n}] for n in range(40)]


def test_a_worker_that_ends_by_itself_fails_one_statement(place):
    process = SqlProcess(place)
    rows(process, "SELECT 1")
    os.kill(process._process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(process.ask, "SELECT 2 AS n")
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(WorkerLost):
            asked.result(60)
    assert rows(process, "SELECT 3 AS n") == [{"n": 3}]
    process.close()


def test_the_worker_is_given_no_secret_and_may_write_no_file(place, monkeypatch):
    monkeypatch.setenv("CONDVEST_DATABASE_URL", "postgresql://u:secret@h/d")
    monkeypatch.setenv("CONDVEST_MASSIVE_API_KEY", "secret")
    process = SqlProcess(place)
    rows(process, "SELECT 1")
    about = Path(f"/proc/{process._process.pid}")
    assert "secret" not in (about / "environ").read_text()
    limits = (about / "limits").read_text()
    assert next(line for line in limits.splitlines() if line.startswith("Max file size")).split()[3] == "0"
    process.close()
    assert not about.exists()


def test_a_new_version_is_read_as_soon_as_it_is_published(sample_target, tmp_path):
    """And one that lost a file is refused, in words that name no path."""
    place = tmp_path / "published"
    process = SqlProcess(place)
    with pytest.raises(PublishedError, match="nothing is published"):
        process.ask("SELECT 1")
    place.symlink_to(sample_target.name)
    _, version = process.ask("SELECT count(*) FROM splits")
    assert version.startswith("p-")
    place.unlink()
    with pytest.raises(PublishedError, match="nothing is published"):
        process.ask("SELECT 1")
    process.close()


def test_a_damaged_file_is_refused(sample_target, tmp_path):
    place = tmp_path / "published"
    shutil.copytree(sample_target.name, place)
    (file,) = (place / "splits").iterdir()
    content = bytearray(file.read_bytes())
    process = SqlProcess(place)
    assert rows(process, "SELECT count(*) AS n FROM splits") == [{"n": 3}]
    content[-12] ^= 1
    file.write_bytes(content)
    process.close()
    with pytest.raises(PublishedError):
        process.ask("SELECT count(*) AS n FROM splits")
    (second,) = (place / "dividends").iterdir()
    process.ask("SELECT count(*) AS n FROM dividends")
    second.unlink()
    with pytest.raises(PublishedError, match="cannot be read"):
        process.ask("SELECT max(cash_amount) AS n FROM dividends")
    process.close()
