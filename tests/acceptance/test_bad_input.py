"""Bad input through the command line: a clear message, the right exit code, and nothing good lost."""

import csv
import gzip
import io

import psycopg
import pytest

from tests.acceptance.conftest import fresh_on

GOOD = "GOOD,2024-05-30,11,13,10,12,1100"
HEADER = "symbol,session,open,high,low,close,volume"

ROWS = [
    # line, code, the row
    (2, None, GOOD),
    (3, "malformed", "A,2024-05-30,abc,13,10,12,1100"),
    (4, "missing_value", "A,2024-05-29,,13,10,12,1100"),
    (5, "not_finite", "A,2024-05-28,NaN,13,10,12,1100"),
    (6, "not_finite", "A,2024-05-24,11,inf,10,12,1100"),
    (7, "price_not_positive", "A,2024-05-23,0,13,0,12,1100"),
    (8, "price_not_positive", "A,2024-05-22,-11,13,-12,12,1100"),
    (9, "high_below_low", "A,2024-05-21,11,10,13,12,1100"),
    (10, "open_outside_range", "A,2024-05-20,14,13,10,12,1100"),
    (11, "close_outside_range", "A,2024-05-17,11,13,10,9,1100"),
    (12, "negative_volume", "A,2024-05-16,11,13,10,12,-1"),
    (13, "not_a_session", "A,2024-05-27,11,13,10,12,1100"),
    (14, "not_a_session", "A,2024-06-01,11,13,10,12,1100"),
    (15, "future_session", "A,2199-05-31,11,13,10,12,1100"),
    (16, "before_calendar", "A,1919-05-31,11,13,10,12,1100"),
    (17, "malformed", "A,2024-02-30,11,13,10,12,1100"),
    (18, None, "TWICE,2024-05-30,11,13,10,12,1100"),
    (19, None, "TWICE,2024-05-30,11,13,10,12,1100"),
    (20, "conflicting_duplicate", "OTHER,2024-05-30,11,13,10,12,1100"),
    (21, "conflicting_duplicate", "OTHER,2024-05-30,11,13,10,12,1101"),
    (22, "bad_symbol", "\x01\x02,2024-05-30,11,13,10,12,1100"),
    (23, "bad_symbol", f"{'X' * 300},2024-05-30,11,13,10,12,1100"),
    (24, None, "good,2024-05-30,11,13,10,12,1100"),
    (25, "missing_value", ",2024-05-30,11,13,10,12,1100"),
    (26, "bad_symbol", "\u00c4PFEL,2024-05-30,11,13,10,12,1100"),
]

FILES = {
    # name: (content, what the message says)
    "empty.csv": (b"", "empty"),
    "blank.csv": (b"\n\n", "empty"),
    "header.csv": (f"{HEADER}\n".encode(), "no row"),
    "truncated.csv.gz": (gzip.compress(f"{HEADER}\n{GOOD}\n".encode() * 99)[:-20], "truncated"),
    "corrupt.csv.gz": (b"\x1f\x8b\x08\x00" + b"\xff" * 40, "corrupt"),
    "lacking.csv": (b"symbol,session,open,high,low,close\nA,2024-05-30,1,1,1,1\n", "volume"),
    "doubled.csv": (f"{HEADER},close\n{GOOD},12\n".encode(), "close"),
    "both.csv": (f"{HEADER},date\n{GOOD},2024-05-30\n".encode(), "session"),
    "foreign.csv": (b"name,age\nA,1\n", "symbol"),
    "ragged.csv": (f"{HEADER}\n{GOOD}\nA,2024-05-30,1,1\n".encode(), "line 3"),
    "quoted.csv": (f'{HEADER}\n"A,2024-05-30,1,1,1,1,1\n'.encode(), "line 2"),
    "binary.csv": (bytes(range(256)) * 20, "binary"),
    "latin.csv": (HEADER.encode() + b"\n\xc4,2024-05-30,1,1,1,1,1\n", "UTF-8"),
    "book.csv": (b"PK\x03\x04" + b"\0" * 40, "ZIP"),
    "broken.parquet": (b"PAR1 is not enough", "Parquet"),
    "wide.csv": (
        (",".join(f"c{n}" for n in range(10_000)) + "\n" + ",".join("1" * 10_000) + "\n").encode(),
        "symbol",
    ),
}


@pytest.fixture(scope="module")
def imported(server, prepared, tmp_path_factory):
    """One import of the rows; the process, then the refused rows and the bars by a further command each."""
    folder = tmp_path_factory.mktemp("rows")
    path = folder / "rows.csv"
    path.write_text("\n".join([HEADER, *(row for _, _, row in ROWS)]) + "\n")
    database = fresh_on(server, prepared)
    ran = database("import", path)
    refused = list(csv.DictReader(io.StringIO(database.done("refused", "--format", "csv"))))
    bars = list(csv.DictReader(io.StringIO(database.done("bars", "--interval", 1, "--format", "csv"))))
    return ran, refused, bars


@pytest.fixture(scope="module")
def unreadable(server, prepared, tmp_path_factory):
    """One import of the files, with one that is good among them, and the bars after it."""
    folder = tmp_path_factory.mktemp("files")
    for name, (content, _) in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "fine.csv").write_text(f"{HEADER}\n{GOOD}\n")
    (folder / "folder.csv").mkdir()
    names = [*FILES, "folder.csv", "nowhere.csv", "fine.csv"]
    database = fresh_on(server, prepared)
    ran = database("import", *(folder / name for name in names))
    return folder, ran, database.done("bars", "--interval", 1, "--format", "csv")


def test_bad_rows_are_refused_and_the_exit_code_is_3(imported):
    ran, refused, _ = imported
    assert ran.returncode == 3, ran.stderr
    assert "Traceback" not in ran.stderr
    assert f"{len(refused)} refused" in ran.stderr
    assert "see: condvest refused" in ran.stderr


@pytest.mark.parametrize(("line", "code"), [(line, code) for line, code, _ in ROWS])
def test_each_bad_row_is_kept_with_its_line_and_code(imported, line, code):
    """A good row is not among the refused ones; a bad one is, under one code, with what it held."""
    _, refused, _ = imported
    found = [row for row in refused if row["line"] == str(line)]
    assert [row["code"] for row in found] == ([code] if code else [])
    for row in found:
        assert row["reason"]
        assert "volume" in row["content"]


def test_the_good_rows_go_in(imported):
    """Two rows that are alike count once; symbols that differ by case are two, which a note says."""
    ran, _, bars = imported
    assert [row["symbol"] for row in bars] == ["GOOD", "TWICE", "good"]
    assert "1 repeated" in ran.stderr
    assert "good differs by case or separator only from GOOD" in ran.stderr


def test_files_that_cannot_be_read_make_the_exit_code_1_and_stop_no_other(unreadable):
    _, ran, bars = unreadable
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert [line.split(",")[0] for line in bars.splitlines()] == ["symbol", "GOOD"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        *((name, says) for name, (_, says) in FILES.items()),
        ("folder.csv", "directory"),
        ("nowhere.csv", "no such file"),
    ],
)
def test_each_unreadable_file_is_named_with_what_is_wrong(unreadable, name, says):
    folder, ran, _ = unreadable
    lines = [line for line in ran.stderr.splitlines() if line.startswith(f"error: {folder / name}:")]
    assert len(lines) == 1
    assert says in lines[0]
    assert len(lines[0]) < 1000


def test_a_row_of_splits_can_be_refused_too(fresh, tmp_path):
    bars, splits = tmp_path / "bars.csv", tmp_path / "splits.csv"
    bars.write_text(f"{HEADER}\n{GOOD}\n")
    splits.write_text("symbol,ex_date,split_from,split_to\nGOOD,2024-05-30,0,2\n")
    report = fresh.json("import", bars, "--splits", splits, "--json", code=3)
    assert report["refused"] == {"ratio_not_positive": 1}
    assert report["inserted"] == 1


def test_an_import_that_fails_has_its_reason_in_the_json(fresh, tmp_path):
    report = fresh.json("import", tmp_path / "no.csv", "--json", code=1)
    assert "no such file" in report["failed"][str(tmp_path / "no.csv")]


def test_a_database_that_is_away_is_said_to_be(server, tmp_path):
    away = server.on(f"postgresql:///condvest?host={tmp_path}")
    ran = away("status")
    assert ran.returncode == 1
    assert "cannot reach the database" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("url", "says"),
    [("mysql://localhost/x", "postgresql://"), ("postgresql://localhost:notaport/x", "port")],
)
def test_a_wrong_url_is_said_to_be(server, url, says):
    ran = server("--database-url", url, "status")
    assert ran.returncode == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_database_that_is_not_there_is_named(server):
    ran = server.on(server.url().replace("/condvest?", "/elsewhere?"))("status")
    assert ran.returncode == 1
    assert "elsewhere" in ran.stderr


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "DELETE FROM schema_migrations WHERE version = 2",
            "waits for 0002_metadata; run: condvest db migrate",
        ),
        ("INSERT INTO schema_migrations VALUES (9999, 'later', 'x')", "9999_later"),
        ("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1", "0001_initial was applied with"),
    ],
)
def test_another_schema_is_refused_by_name(fresh, statement, says):
    fresh.done("db", "migrate")
    with psycopg.connect(fresh.url(), autocommit=True) as connection:
        connection.execute(statement)
    for command in (["status"], ["run"]):
        ran = fresh(*command)
        assert ran.returncode == 1
        assert says in ran.stderr


def read_only(fresh, tmp_path):
    """Return a file, and the program on a database that holds it and takes no writes since."""
    path = tmp_path / "bars.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n")
    fresh.done("import", path)
    with psycopg.connect(fresh.url(), autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    return path, fresh


def test_a_database_that_takes_no_writes_is_still_read(fresh, tmp_path):
    _, condvest = read_only(fresh, tmp_path)
    assert "GOOD" in condvest.done("bars", "--interval", 1)


def test_a_database_that_takes_no_writes_is_said_to_be(fresh, tmp_path):
    path, condvest = read_only(fresh, tmp_path)
    ran = condvest("import", path)
    assert ran.returncode == 1
    assert "takes no writes" in ran.stderr
