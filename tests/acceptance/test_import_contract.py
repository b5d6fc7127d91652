"""What scripts rely on when they import: the JSON's keys, loading twice, dry runs, splits, streams."""

import gzip
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet
import pytest

LINES = ("A,2024-05-29,10,12,9,11,1000", "A,2024-05-30,11,13,10,12,1100", "B,2024-05-30,5,5,5,5,0")


def counts(report):
    names = ("rows", "inserted", "changed", "unchanged", "refused", "sessions")
    return tuple(report[name] for name in names)


def test_json_has_the_documented_keys(fresh, prices):
    report = fresh.json("import", prices(*LINES), "--json")
    assert counts(report) == (3, 3, 0, 0, {}, 2)
    assert report["resampled"]["inserted"] == 12  # two instruments, six intervals


def test_messages_go_to_standard_error_and_no_progress_bar_to_a_pipe(fresh, prices):
    ran = fresh("import", prices(*LINES))
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "3 daily bars: 3 inserted" in ran.stderr
    assert "\r" not in ran.stderr
    assert "\x1b" not in ran.stderr


def test_loading_the_same_file_twice_changes_nothing_and_says_so(fresh, prices):
    path = prices(*LINES)
    fresh.done("import", path)
    before = fresh.json("status", "--json")
    ran = fresh("import", path)
    assert ran.returncode == 0
    assert "0 inserted, 0 changed, 3 unchanged (nothing new)" in ran.stderr
    assert "resampled nothing" in ran.stderr
    after = fresh.json("status", "--json")
    assert {name: before[name] for name in before if name != "last_run"} == {
        name: after[name] for name in after if name != "last_run"
    }


def test_a_correction_changes_the_bar_of_its_window(fresh, prices):
    fresh.done("import", prices(*LINES))
    report = fresh.json("import", prices("A,2024-05-30,11,14,10,12,1100", name="later.csv"), "--json")
    assert counts(report) == (1, 0, 1, 0, {}, 1)
    assert ",14.0," in fresh.done("bars", "A", "--interval", 3, "--include-open", "--format", "csv")


def test_a_dry_run_counts_and_stores_nothing(fresh, prices):
    fresh.done("db", "migrate")
    before = fresh.json("status", "--json")
    kept = sorted(fresh.home.glob("archive/**/*"))
    report = fresh.json("import", prices(*LINES), "--dry-run", "--json")
    assert report["dry_run"] is True
    assert counts(report) == (3, 3, 0, 0, {}, 2)
    ran = fresh("import", prices(*LINES), "--dry-run")
    assert "3 would be inserted" in ran.stderr
    assert fresh.json("status", "--json") == before
    assert sorted(fresh.home.glob("archive/**/*")) == kept


def test_refused_rows_make_the_exit_code_3_and_the_good_ones_go_in(fresh, prices):
    report = fresh.json("import", prices(*LINES, "A,2024-05-31,10,9,11,10,1"), "--json", code=3)
    assert counts(report) == (4, 3, 0, 0, {"high_below_low": 1}, 2)
    assert fresh.json("status", "--json")["daily_bars"] == 3


def test_splits_and_dividends_come_with_their_files(fresh, prices):
    """A 2-for-1 split halves the price before it; 0.50 on the 31st is reinvested at that close."""
    splits = prices("A,2024-05-30,1,2", header="symbol,ex_date,split_from,split_to", name="splits.csv")
    dividends = prices("A,2024-05-31,0.5", header="symbol,ex_date,cash_amount", name="dividends.csv")
    bars = prices(
        "A,2024-05-29,20,20,20,20,100", "A,2024-05-30,10,10,10,10,200", "A,2024-05-31,9,9,9,9.5,300"
    )
    bars.write_text(bars.read_text().replace("9,9,9,9.5", "9.5,9.5,9.5,9.5"))
    fresh.done("import", bars, "--splits", splits, "--dividends", dividends)

    def closes(adjust):
        text = fresh.done("bars", "A", "--interval", 1, "--adjust", adjust, "--format", "csv")
        return [float(line.split(",")[8]) for line in text.splitlines()[1:]]

    assert closes("none") == [20, 10, 9.5]
    assert closes("splits") == [10, 10, 9.5]
    assert closes("total") == pytest.approx([9.5, 9.5, 9.5], rel=1e-14)


def test_the_name_of_a_provider_is_kept(fresh, prices):
    fresh.done("import", prices(*LINES), "--provider", "mine")
    assert [one["provider"] for one in fresh.json("status", "--json")["providers"]] == ["mine"]


@pytest.mark.parametrize("way", ["gzip", "parquet", "crlf", "bom", "semicolons", "shuffled", "flat file"])
def test_a_file_may_be_written_in_these_ways(fresh, tmp_path, way):
    """Each holds A's bar of 2024-05-30; window_start is 04:00 UTC, midnight in New York in summer."""
    header, line = "symbol,session,open,high,low,close,volume", "A,2024-05-30,11,13,10,12,1100"
    text = f"{header}\n{line}\n"
    path = tmp_path / "file"
    if way == "parquet":
        columns = dict(zip(header.split(","), line.split(","), strict=True))
        numbers = {name: [float(columns[name])] for name in ("open", "high", "low", "close", "volume")}
        table = pa.table({"symbol": ["A"], "session": ["2024-05-30"], **numbers})
        pyarrow.parquet.write_table(table, path)
    else:
        written = {
            "gzip": gzip.compress(text.encode()),
            "crlf": text.replace("\n", "\r\n").encode(),
            "bom": b"\xef\xbb\xbf" + text.encode(),
            "semicolons": text.replace(",", ";").encode(),
            "shuffled": b"Volume,Close,Low,High,Open,Date,Ticker\n1100,12,10,13,11,2024-05-30,A\n",
            "flat file": (
                b"ticker,volume,open,close,high,low,window_start,transactions\n"
                b"A,1100,11,12,13,10,1717041600000000000,7\n"
            ),
        }
        path.write_bytes(written[way])
    fresh.done("import", path)
    row = fresh.done("bars", "A", "--interval", 1, "--format", "csv").splitlines()[1].split(",")
    assert row[3:10] == ["2024-05-30", "2024-05-30", "11.0", "13.0", "10.0", "12.0", "1100.0"]


def test_symbols_of_today_are_filed_as_they_are_today_and_so_by_a_rebuild(fresh, fresh_too, prices, tmp_path):
    """AOLD became A on 05-30; a table of today has its 05-28 under A, one of the time has another's 05-24."""
    archive = {"CONDVEST_ARCHIVE": str(tmp_path / "archive")}
    before, rebuilt = (replace(one, env=one.env | archive) for one in (fresh, fresh_too))
    first = prices("AOLD,2024-05-29,10,12,9,11,1000", "A,2024-05-30,11,13,10,12,1100")
    renames = prices("AOLD,A,2024-05-30", name="renames.csv", header="from,to,date")
    before.done("import", first, "--renames", renames)
    before.done("import", prices("A,2024-05-28,9,11,8,10,900", name="today.csv"), "--symbols-mean", "today")
    before.done("import", prices("A,2024-05-24,70,71,69,70,50", name="then.csv"), "--symbols-mean", "date")
    rebuilt.done("rebuild", "--from-archive")
    for program in (before, rebuilt):
        bars = program.done("bars", "AOLD", "--interval", 1, "--format", "csv").splitlines()[1:]
        assert [line.split(",")[3] for line in bars] == ["2024-05-28", "2024-05-29", "2024-05-30"]


def test_a_rename_is_stated_and_a_bad_one_is_named_with_its_line(fresh, prices):
    """AOLD's bars of 05-29 and A's of 05-30 become one series."""
    first = prices("AOLD,2024-05-29,10,12,9,11,1000", "A,2024-05-30,11,13,10,12,1100")
    renames = prices("AOLD,A,2024-05-30", name="renames.csv", header="from,to,date")
    ran = fresh("import", first, "--renames", renames)
    assert ran.returncode == 0, ran.stderr
    assert "1 daily bars moved to the instrument they belong to" in ran.stderr
    assert fresh.done("bars", "A", "--interval", 1, "--format", "csv").count("\n") == 3
    bad = prices("AOLD,A,2024-05-30", "A,A,2024-05-29", name="bad.csv", header="from,to,date")
    report = fresh.json("import", "--renames", bad, "--dry-run", "--json", code=3)
    assert report["refused"] == {"bad_rename": 1}
    assert fresh("import", "--renames", bad).returncode == 3
    assert "renamed to itself" in fresh.done("refused")
