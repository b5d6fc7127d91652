"""What new users asked for, tried as they would: by the program, in one piece. Other tests look closer.

The numbers are those of `test_acceptances.ACCEPTANCES`, which has the sentences.
"""

import csv
import datetime as dt
import io
import json
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.synthetic.market import Market

ROOT = Path(__file__).parents[2]


INTERVALS = (3, 5, 8, 13, 21, 34)
BARS = "symbol,session,open,high,low,close,volume\n"


def rows_of(condvest, *arguments):
    """Return the rows of a command's CSV."""
    return list(csv.DictReader(io.StringIO(condvest.done(*arguments, "--format", "csv"))))


def folded(daily, interval):
    """Fold daily bars, whose window is their session's ordinal: window = ordinal // interval."""
    windows = {}
    for row in daily:
        windows.setdefault((row["symbol"], int(row["window"]) // interval), []).append(row)
    return {
        key: (
            float(rows[0]["open"]),
            max(float(row["high"]) for row in rows),
            min(float(row["low"]) for row in rows),
            float(rows[-1]["close"]),
            sum(float(row["volume"]) for row in rows),
            len(rows),
        )
        for key, rows in windows.items()
    }


def disagreeing(condvest):
    """Return the intervals whose bars are not the fold of the daily bars that the same database shows."""
    daily = rows_of(condvest, "bars", "--interval", "1", "--include-open")
    assert daily
    wrong = []
    for interval in INTERVALS:
        shown = {
            (row["symbol"], int(row["window"])): (
                *(float(row[name]) for name in ("open", "high", "low", "close", "volume")),
                int(row["sessions"]),
            )
            for row in rows_of(condvest, "bars", "--interval", str(interval), "--include-open")
        }
        truth = folded(daily, interval)
        if shown.keys() != truth.keys() or any(
            shown[key] != pytest.approx(truth[key], rel=1e-9) for key in truth
        ):
            wrong.append(interval)
    return wrong


@pytest.fixture(scope="module")
def market():
    """A market of five weeks of 2025."""
    return Market(5, 20, dt.date(2025, 9, 2), dt.date(2025, 10, 3), revisions=0)


@pytest.fixture
def stopped(fresh, market):
    """Stop a backfill by a signal while the vendor lets it wait, some sessions stored."""
    with MassiveEmulator(market, plan="unlimited", dirt=False, rate=(18, 3600)) as emulator:
        fresh.env.update(
            MASSIVE_API_KEY=KEY, CONDVEST_MASSIVE_PLAN="paid", CONDVEST_MASSIVE_BASE_URL=emulator.url
        )

        def stop(how):
            first, *_, last = market.sessions()
            process = fresh.start("backfill", "--provider", "massive", "--start", first, "--end", last)
            with psycopg.connect(fresh.url(), autocommit=True) as connection:
                while process.poll() is None and not count_of(connection, "daily_bars"):
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(0.02)
            process.send_signal(how)
            _, said = process.communicate(timeout=60)
            return process.returncode, said

        yield stop


def count_of(connection, table):
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_acceptance_1_an_interrupted_backfill_leaves_nothing_waiting(fresh, stopped):
    code, said = stopped(signal.SIGINT)
    assert (code, "run the command again to continue" in said) == (1, True), said
    assert fresh.json("status", "--json")["changes_waiting"] == 0
    assert disagreeing(fresh) == []


def test_acceptance_1_after_a_kill_every_interval_is_the_fold_of_the_daily_bars(fresh, stopped):
    code, said = stopped(signal.SIGKILL)
    assert code == -signal.SIGKILL, said
    waiting = fresh.json("status", "--json")["changes_waiting"]
    assert waiting > 0, "it was killed before it could resample"
    assert disagreeing(fresh) == []
    said = fresh("verify")
    assert (said.returncode, "not resampled" in said.stderr) == (0, True), said.stderr


@pytest.fixture
def acme(tmp_path):
    """Files of a stock that split 2-for-1 on 2024-05-13: as traded, split-adjusted, and the split."""
    first = dt.date(2024, 4, 1)
    weekdays = [day for day in (first + dt.timedelta(n) for n in range(80)) if day.weekday() < 5]
    sessions = [day for day in weekdays if day != dt.date(2024, 5, 27)][:40]
    traded, adjusted = [], []
    for number, session in enumerate(sessions):
        price, volume = 100 + number % 5, 1000 + number
        late = session >= dt.date(2024, 5, 13)
        for lines, divisor in ((traded, 2 if late else 1), (adjusted, 2)):
            values = [value / divisor for value in (price, price + 1, price - 1, price)]
            lines.append(f"ACME,{session},{','.join(map(str, values))},{volume * divisor}")
    (tmp_path / "traded.csv").write_text(BARS + "\n".join(traded) + "\n")
    (tmp_path / "adjusted.csv").write_text(BARS + "\n".join(adjusted) + "\n")
    (tmp_path / "splits.csv").write_text("symbol,ex_date,split_from,split_to\nACME,2024-05-13,1,2\n")
    return tmp_path


def test_acceptance_3_adjusted_prices_over_traded_ones_are_mended_by_one_command(fresh, acme):
    """The commonest mistake there is: the free file's prices are adjusted already."""
    fresh.done("import", acme / "traded.csv", "--splits", acme / "splits.csv")
    before = [rows_of(fresh, "bars", "ACME", "--interval", interval) for interval in ("1", "13")]
    wrong = fresh("import", acme / "adjusted.csv")
    assert (wrong.returncode, "split_denied" in wrong.stderr) == (3, True)
    load = rows_of(fresh, "loads")[0]["load_id"]
    fresh.done("undo", load, "--yes")
    assert [rows_of(fresh, "bars", "ACME", "--interval", interval) for interval in ("1", "13")] == before
    known = rows_of(fresh, "history", "ACME", "--session", "2024-04-01")
    assert [row["close"] for row in known] == ["100.0", "50.0", "100.0"], "what was wrong stays to be seen"


def test_acceptance_4_split_adjusted_prices_are_led_back(fresh, fresh_too, acme):
    fresh.done("import", acme / "traded.csv", "--splits", acme / "splits.csv")
    adjusted = (
        "import",
        acme / "adjusted.csv",
        "--splits",
        acme / "splits.csv",
        "--prices",
        "split-adjusted",
    )
    fresh_too.done(*adjusted)
    for adjust in ("none", "splits"):
        asked = ("bars", "ACME", "--interval", "1", "--adjust", adjust)
        assert rows_of(fresh_too, *asked) == rows_of(fresh, *asked)


def test_acceptance_4_prices_as_traded_that_are_taken_for_adjusted_are_named(fresh, acme):
    asked = ("import", acme / "traded.csv", "--splits", acme / "splits.csv", "--prices", "split-adjusted")
    ran = fresh(*asked)
    assert (ran.returncode, "check ACME 2024-05-13: split_twice: " in ran.stderr) == (3, True), ran.stderr


def test_acceptance_4_splits_that_prices_deny_or_nobody_has_are_named(fresh, acme):
    ran = fresh("import", acme / "adjusted.csv", "--splits", acme / "splits.csv")
    assert ran.returncode == 3
    assert "check ACME 2024-05-13: split_denied: " in ran.stderr
    (acme / "typo.csv").write_text("symbol,ex_date,split_from,split_to\nACNE,2024-05-13,1,2\n")
    noted = fresh("import", "--splits", acme / "typo.csv")
    assert noted.returncode == 3
    assert "its only row refused: line 2: ACNE 2024-05-13: nobody carried the symbol then" in noted.stderr
    (row,) = rows_of(fresh, "refused", "--new")
    assert (row["code"], row["symbol"]) == ("no_instrument", "ACNE")
    again = fresh("import", "--splits", acme / "typo.csv")
    assert (again.returncode, "none new" in again.stderr) == (0, True), "it has been told"


def test_acceptance_5_the_python_surface_is_there():
    import condvest  # noqa: PLC0415  # the other tests run the program

    functions = {"bars", "frame", "panel", "instruments", "universe", "splits", "dividends", "sessions"}
    assert functions | {"load", "status", "UnknownSymbol", "CondvestError"} <= set(condvest.__all__)


def test_acceptance_6_one_select_equals_the_daily_bars(sample):
    statement = "SELECT close FROM condvest_v1.daily WHERE symbol = 'AAPL' ORDER BY session"
    selected = [float(line) for line in sample.done("db", "shell", "-Atc", statement).split()]
    daily = [float(row["close"]) for row in rows_of(sample, "bars", "AAPL", "--interval", "1")]
    assert (len(selected), selected) == (3270, daily)


COMMON = """Date,Open,High,Low,Close,Adj Close,Volume
2024-06-03,173.88,175.45,172.68,174.42,173.75,20742800
2024-06-04,174.45,175.19,173.22,175.13,174.46,14325300
2024-06-05,176.54,177.97,175.29,177.07,176.39,15233200
"""


def test_acceptance_8_the_commonest_file_is_imported(fresh, tmp_path):
    (tmp_path / "GOOG.csv").write_text(COMMON)
    (tmp_path / "download.csv").write_text(COMMON)
    ran = fresh("import", tmp_path / "GOOG.csv")
    assert (ran.returncode, "Adj Close" in ran.stderr) == (0, True), ran.stderr
    fresh.done("import", tmp_path / "download.csv", "--symbol", "COPY")
    for symbol in ("GOOG", "COPY"):
        rows = rows_of(fresh, "bars", symbol, "--interval", "1")
        assert [(row["last_session"], row["close"]) for row in rows] == [
            ("2024-06-03", "174.42"), ("2024-06-04", "175.13"), ("2024-06-05", "177.07"),
        ]  # fmt: skip
    refused = fresh("import", tmp_path / "download.csv")
    assert (refused.returncode, "--symbol" in refused.stderr) == (1, True), "no symbol is guessed"


def test_acceptance_8_folders_and_wide_tables_are_imported(fresh, tmp_path):
    folder = tmp_path / "prices"
    folder.mkdir()
    for symbol in ("AAPL", "GOOG"):
        (folder / f"{symbol}.csv").write_text(COMMON)
    fresh.done("import", folder)
    assert {row["symbol"] for row in rows_of(fresh, "bars", "--interval", "3", "--include-open")} == {
        "AAPL",
        "GOOG",
    }
    (tmp_path / "wide.csv").write_text(
        ",Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n"
        ",IBM,MSFT,IBM,MSFT,IBM,MSFT,IBM,MSFT,IBM,MSFT\n"
        "Date,,,,,,,,,,\n"
        "2024-06-03,165,413,166,416,164,409,165.5,415,2776000,13189000\n"
    )
    told = fresh("import", tmp_path / "wide.csv")
    assert (told.returncode, "header=[0, 1]" in told.stderr) == (1, True), (
        "the message has the line that loads it"
    )
    load = """import condvest, pandas, sys
condvest.load(pandas.read_csv(sys.argv[1], header=[0, 1], index_col=0, parse_dates=True))"""
    command = [sys.executable, "-c", load, str(tmp_path / "wide.csv")]
    ran = subprocess.run(command, env=fresh.environ, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    asked = rows_of(fresh, "bars", "IBM,MSFT", "--interval", "1")
    assert [(row["symbol"], row["open"], row["close"]) for row in asked] == [
        ("IBM", "165.5", "165.0"), ("MSFT", "415.0", "413.0"),
    ]  # fmt: skip


def test_acceptance_9_the_readme_begins_with_one_line_to_install():
    blocks = re.findall(r"^```\w+\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    first = blocks[0].strip().splitlines()
    assert any(line.startswith("uvx --from ") and line.endswith("condvest demo") for line in first)


def test_acceptance_10_outputs_are_what_their_names_say(sample, tmp_path):
    asked = ("bars", "AAPL", "--start", "2013-01-01", "--include-open")
    wrong = sample(*asked, "-o", tmp_path / "bars.xlsx")
    assert (wrong.returncode, (tmp_path / "bars.xlsx").exists()) == (2, False)
    sample.done(*asked, "-o", tmp_path / "bars.csv.gz")
    assert (tmp_path / "bars.csv.gz").read_bytes()[:2] == b"\x1f\x8b"
    sample.done(*asked, "-o", tmp_path / "BARS.PARQUET")
    assert (tmp_path / "BARS.PARQUET").read_bytes()[:4] == b"PAR1"
    assert sample.done(*asked, "--format", "csv", "-o", "-") == sample.done(*asked, "--format", "csv")
    volumes = [line.split()[7] for line in sample.done(*asked).splitlines()[1:]]
    assert volumes[0] == "210,118,700"
    assert all(re.fullmatch(r"\d{1,3}(,\d{3})+", volume) for volume in volumes)


def test_acceptance_11_a_bar_that_begins_before_the_history_is_not_complete(sample):
    """Window 282 of 34 sessions is 2000-01-31 to 2000-03-17; the sample begins on 2000-03-01."""
    asked = ("bars", "AAPL", "--interval", "34")
    first, *_ = rows_of(sample, *asked, "--include-open")
    values = [first[name] for name in ("window", "first_session", "last_session", "sessions", "is_complete")]
    assert values == ["282", "2000-01-31", "2000-03-17", "13", "false"]
    assert rows_of(sample, *asked)[0]["window"] == "283"


def test_acceptance_13_who_was_listed_on_a_date(sample, fresh, tmp_path):
    """Google came on 2004-08-19 and Facebook on 2012-05-18; a company that ended is listed while it was."""
    assert [row["symbol"] for row in rows_of(sample, "instruments", "--listed-on", "2004-08-18")] == [
        "AAPL", "IBM", "MSFT",
    ]  # fmt: skip
    assert [row["symbol"] for row in rows_of(sample, "instruments", "--listed-on", "2004-08-19")] == [
        "AAPL", "GOOG", "IBM", "MSFT",
    ]  # fmt: skip
    ended = [f"GONE,2024-06-0{day},1,2,1,2,10" for day in (3, 4)]
    stays = [f"STAY,2024-06-0{day},1,2,1,2,10" for day in (3, 4, 5)]
    (tmp_path / "prices.csv").write_text(BARS + "\n".join([*ended, *stays]) + "\n")
    fresh.done("import", tmp_path / "prices.csv")
    on = {day: rows_of(fresh, "instruments", "--listed-on", f"2024-06-0{day}") for day in (4, 5)}
    assert {day: [row["symbol"] for row in rows] for day, rows in on.items()} == {
        4: ["GONE", "STAY"],
        5: ["STAY"],
    }
    outside = fresh("instruments", "--listed-on", "2025-01-02")
    assert (outside.returncode, "2024-06-03 to 2024-06-05" in outside.stderr) == (2, True)
    assert "not who was listed then" in " ".join(fresh.done("instruments", "--help").split()).replace(
        "what was listed then", "who was listed then"
    )


def test_acceptance_14_the_page_on_operating_has_each_recipe():
    page = (ROOT / "docs/operating.md").read_text()
    needed = ("America/New_York", "OnFailure=", "compose.yaml", "pg_dump", "pg_restore", "cp -a", "Grafana")
    assert [word for word in (*needed, "CONDVEST_DATABASE_URL", "EnvironmentFile=") if word not in page] == []


def test_acceptance_15_actions_are_those_of_the_sample(sample):
    """Apple's splits of 2000 and 2005 and its three dividends of 2.65; IBM paid 52 times."""
    rows = rows_of(sample, "actions", "AAPL")
    told = [(row["ex_date"], row["action"], row["split_to"], row["cash_amount"]) for row in rows]
    assert told == [
        ("2000-06-21", "split", "2.0", ""),
        ("2005-02-28", "split", "2.0", ""),
        ("2012-08-09", "dividend", "", "2.65"),
        ("2012-11-07", "dividend", "", "2.65"),
        ("2013-02-07", "dividend", "", "2.65"),
    ]
    assert [row["price_factor"] for row in rows[:2]] == ["0.25", "0.5"]
    every = rows_of(sample, "actions")
    assert sum(row["symbol"] == "IBM" and row["action"] == "dividend" for row in every) == 52
    assert len(every) == 95
    lines = sample.done("actions", "AAPL", "--end", "2000-12-31", "--format", "json").splitlines()
    assert json.loads(lines[0])["split_from"] == 1.0


def test_acceptance_15_plot_draws_a_chart(sample):
    drawing = ET.fromstring(sample.done("plot", "AAPL"))  # noqa: S314  # the program has just drawn it
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"


def test_acceptance_15_each_page_answers_what_was_asked():
    pages = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}
    assert all(f"## {name}" in pages["exports.md"] for name in ("zipline", "Lean", "qlib"))
    assert all(word in pages["reading-with.md"] for word in ("252 / N", "quantstats", "mplfinance"))
    assert "window.svg" in pages["glossary.md"]
    for question in ("Why 13 sessions", "Why does `Adj Close`", "What is `as_of`"):
        assert question in pages["faq.md"]
