"""What scripts rely on when they read: columns, formats, streams, bounds, exit codes."""

import csv
import io
import json
import subprocess
from dataclasses import replace

import polars as pl
import pyarrow.parquet
import pytest

HEADER = (
    "symbol,interval,window,first_session,last_session,open,high,low,close,"
    "volume,vwap,trades,sessions,is_complete"
)
PRICES = ("open", "high", "low", "close")


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_the_columns_in_their_order_and_nothing_on_standard_error(sample):
    ran = sample("bars", "IBM", "--interval", 13, "--format", "csv")
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert ran.stdout.splitlines()[0] == HEADER


def test_csv_values_are_those_of_the_published_sample(sample):
    """ISO dates, the prices as the data set prints them, an empty field where a value is unknown."""
    text = sample.done(
        "bars", "IBM", "--interval", 1, "--start", "2013-02-28", "--end", "2013-02-28", "--format", "csv"
    )
    assert text == (
        f"{HEADER}\nIBM,1,12877,2013-02-28,2013-02-28,202.18,203.123,200.79,200.83,4689200.0,,,1,true\n"
    )


def test_csv_floats_round_trip(sample, tmp_path):
    """Each number of the CSV, read back, has all the bits of the one in Parquet."""
    path = tmp_path / "bars.parquet"
    sample.done("bars", "AAPL", "MSFT", "--interval", 8, "--format", "parquet", "-o", path)
    table = pyarrow.parquet.read_table(path).to_pylist()
    read = rows(sample.done("bars", "AAPL", "MSFT", "--interval", 8, "--format", "csv"))
    assert len(read) == len(table) > 800
    for one, other in zip(read, table, strict=True):
        assert [float(one[name]) for name in (*PRICES, "volume")] == [
            other[name] for name in (*PRICES, "volume")
        ]
        assert other["vwap"] is None
        assert one["vwap"] == ""


def test_known_vwap_and_trades_are_given(fresh, prices):
    path = prices(
        "A,2024-05-30,10,12,9,11,1000,10.1234567890123,7",
        header="symbol,session,open,high,low,close,volume,vwap,trades",
    )
    fresh.done("import", path)
    (row,) = rows(fresh.done("bars", "A", "--interval", 1, "--format", "csv"))
    assert (row["vwap"], row["trades"]) == ("10.1234567890123", "7")


def test_start_and_end_are_inclusive_and_select_on_the_last_session(sample):
    """MSFT's 34-session bar 2012-12-03 to 2013-01-22 is given from its last session to its last session."""
    arguments = ("bars", "MSFT", "--interval", 34, "--format", "csv")
    on_it = rows(sample.done(*arguments, "--start", "2013-01-22", "--end", "2013-01-22"))
    assert [(row["first_session"], row["last_session"]) for row in on_it] == [("2012-12-03", "2013-01-22")]
    assert rows(sample.done(*arguments, "--start", "2013-01-23")) == []
    assert rows(sample.done(*arguments, "--start", "2012-12-03", "--end", "2013-01-21")) == []


def test_open_bars_are_given_only_when_asked_for(sample):
    arguments = ("bars", "MSFT", "--interval", 34, "--start", "2013-01-23", "--format", "csv")
    assert rows(sample.done(*arguments)) == []
    (row,) = rows(sample.done(*arguments, "--include-open"))
    assert (row["last_session"], row["sessions"], row["is_complete"]) == ("2013-03-12", "27", "false")


def test_adjust_chooses_the_basis(sample):
    """AAPL traded at 88.99 on 2005-02-25, the session before its 2-for-1 split."""
    arguments = (
        "bars",
        "AAPL",
        "--interval",
        1,
        "--start",
        "2005-02-25",
        "--end",
        "2005-02-25",
        "--format",
        "csv",
    )
    (none,) = rows(sample.done(*arguments, "--adjust", "none"))
    (splits,) = rows(sample.done(*arguments, "--adjust", "splits"))
    assert (none["close"], splits["close"]) == ("88.99", "44.495")
    assert 2 * float(none["volume"]) == float(splits["volume"])


def test_anchor_listing_counts_from_the_first_session(sample):
    """GOOG's first session in the sample is 2004-08-19."""
    text = sample.done("bars", "GOOG", "--interval", 5, "--anchor", "listing", "--format", "csv")
    assert rows(text)[0]["window"] == "0"
    assert rows(text)[0]["first_session"] == "2004-08-19"


def test_json_is_one_object_a_line_with_nulls(sample):
    lines = sample.done("bars", "IBM", "--start", "2013-02-01", "--format", "json").splitlines()
    first = json.loads(lines[0])
    assert list(first) == HEADER.split(",")
    assert first["vwap"] is None
    assert first["is_complete"] is True
    assert first["last_session"] == "2013-02-15"


def test_parquet_goes_to_a_pipe_and_polars_reads_it(sample):
    ran = sample("bars", "IBM", "--format", "parquet", text=False)
    assert ran.returncode == 0
    frame = pl.read_parquet(io.BytesIO(ran.stdout))
    assert frame.columns == HEADER.split(",")
    assert frame["last_session"].dtype == pl.Date
    assert frame["vwap"].null_count() == len(frame)


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.csv", HEADER.encode()), ("a.json", b'{"symbol"'), ("a.parquet", b"PAR1"), ("a", HEADER.encode())],
)
def test_the_suffix_of_a_file_names_its_format(sample, tmp_path, name, begins):
    ran = sample("bars", "IBM", "-o", tmp_path / name)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_format_that_is_named_outweighs_the_suffix(sample, tmp_path):
    sample.done("bars", "IBM", "--format", "json", "-o", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().startswith(b'{"symbol"')


@pytest.mark.parametrize("name", ["x.xlsx", "y.parquet.gz", "a.csv.zip"])
def test_a_suffix_that_names_no_format_is_refused_and_nothing_is_written(sample, tmp_path, name):
    ran = sample("bars", "IBM", "-o", tmp_path / name)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert name in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dash_is_standard_output(sample):
    printed = sample.done("bars", "IBM", "--format", "csv")
    assert sample.done("bars", "IBM", "--format", "csv", "-o", "-") == printed
    assert sample.done("bars", "IBM", "--format", "csv", "-o", "/dev/stdout") == printed


@pytest.mark.parametrize("where", ["no/such/folder/x.csv", "."])
def test_a_file_that_cannot_be_written_is_named(sample, tmp_path, where):
    ran = sample("bars", "IBM", "-o", tmp_path / where)
    assert ran.returncode == 1
    assert str(tmp_path / where) in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_table_fits_80_columns_and_has_no_trailing_space(sample):
    for arguments in (["bars", "MSFT"], ["status"], ["refused"], ["gaps"]):
        for line in sample.done(*arguments).splitlines():
            assert len(line) <= 80
            assert line == line.rstrip()


@pytest.mark.parametrize("arguments", [["bars"], ["bars", "--format", "csv"], ["bars", "--format", "json"]])
def test_a_reader_that_goes_away_makes_no_traceback(sample, arguments):
    """condvest bars | head -1."""
    ran = subprocess.run(
        ["bash", "-c", f"condvest {' '.join(arguments)} --interval 3 | head -1"],
        env=sample.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stderr == ""
    assert ran.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["bars", "--format", "csv"], ["bars"], ["status"], ["status", "--json"]]
)
def test_a_full_disk_behind_standard_output_is_a_failure(sample, arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device, not a file
        ran = sample(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode == 1
    assert "No space left" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_status_has_the_documented_keys(sample):
    status = sample.json("status", "--json")
    assert status["sessions"] == {
        "first": "2000-03-01",
        "last": "2013-03-01",
        "complete": 3270,
        "partial": 0,
        "missing": 0,
    }
    assert status["instruments"] == 5
    assert status["daily_bars"] == 12154
    assert list(status["bars"]) == ["3", "5", "8", "13", "21", "34"]
    assert status["changes_waiting"] == 0
    assert status["last_run"]["command"] in ("run --provider sample", "publish")  # by another file's tests
    assert status["last_run"]["exit_code"] == 0


def test_gaps_are_the_sessions_that_are_lacking_between(fresh, prices):
    """2024-05-27 was Memorial Day, so only the 24th and the 28th are lacking."""
    fresh.done("import", prices("A,2024-05-23,1,1,1,1,1", "A,2024-05-29,1,1,1,1,1", "B,2024-05-28,1,1,1,1,1"))
    assert fresh.done("gaps", "--format", "csv") == "symbol,session\nA,2024-05-24\nA,2024-05-28\n"
    assert fresh.done("gaps", "B", "--format", "csv") == "symbol,session\n"


def test_a_symbol_with_brackets_is_shown_as_it_is(fresh, prices):
    """Nothing of the data is taken for the markup of the terminal library."""
    fresh.done("import", prices("[/x],2024-05-30,1,1,1,1,1", "[b]:boom:,2024-05-30,1,1,1,1,1"))
    shown = fresh.done("bars", "--interval", 1)
    assert "[/x]" in shown
    assert "[b]:boom:" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bars", "NOPE"], "NOPE"),
        (["bars", "IBN"], "did you mean IBM"),
        (["gaps", "NOPE"], "NOPE"),
    ],
)
def test_an_unknown_symbol_is_named(sample, arguments, says):
    ran = sample(*arguments)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert says in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["bars", "--interval", "0"],
        ["bars", "--interval", "253"],
        ["bars", "--interval", "two"],
        ["bars", "--start", "2013-02-30"],
        ["bars", "--start", "2013-02-02", "--end", "2013-02-01"],
        ["bars", "--adjust", "dividends"],
        ["bars", "--anchor", "today"],
        ["bars", "--format", "xml"],
        ["bars", "--no-such-option"],
        ["nonsense"],
        ["db", "nonsense"],
        ["run", "--provider", "nobody"],
        ["import"],
        ["backfill"],
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(sample, arguments):
    ran = sample(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.strip()
    assert "Traceback" not in ran.stderr


def test_parquet_is_not_sent_to_a_terminal(sample):
    """script gives the program a terminal."""
    ran = subprocess.run(
        ["script", "-qec", "condvest bars IBM --format parquet", "/dev/null"],
        env=sample.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 2
    assert "-o FILE" in ran.stdout


@pytest.fixture(scope="module")
def published(sample, tmp_path_factory):
    place = tmp_path_factory.mktemp("published") / "here"
    sample.done("publish", "--to", place)
    return place


@pytest.mark.parametrize(
    "asked",
    [
        ["--format", "csv"],
        ["AAPL", "IBM", "--interval", "1", "--start", "2005-01-03", "--adjust", "total", "--format", "json"],
        ["MSFT", "--interval", "7", "--anchor", "listing", "--include-open", "--adjust", "none"],
    ],
)
def test_what_is_published_is_printed_as_from_the_database(sample, published, asked):
    expected = sample.done("bars", *asked)
    assert sample.done("bars", *asked, "--source", "published", "--from", published) == expected
    assert len(expected.splitlines()) > 20


def test_what_is_published_is_read_where_there_is_no_database(sample, published, tmp_path):
    """The setting says where, as --from does; no home is made."""
    elsewhere = replace(sample, home=tmp_path / "home", env={"CONDVEST_PUBLISHED": str(published)})
    asked = ["bars", "FB", "--format", "csv", "--source", "published"]
    assert elsewhere.done(*asked) == sample.done("bars", "FB", "--format", "csv")
    assert elsewhere.done(*asked, "--as-of", "2100-01-01") == elsewhere.done(*asked)
    assert len(elsewhere.done(*asked, "--as-of", "1970-01-01").splitlines()) == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("asked", "code", "told"),
    [
        (["--from", "somewhere"], 2, "--from needs --source published"),
        (
            ["--source", "published", "--from", "/no/such"],
            1,
            "nothing is published in /no/such; run condvest",
        ),
    ],
)
def test_what_cannot_be_read_from_what_is_published_is_told(sample, asked, code, told):
    ran = sample("bars", "FB", *asked)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert told in ran.stderr
