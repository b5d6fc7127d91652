"""The table of the page on performance is one run's, whole, and says which."""

import pytest

from benchmarks.report import Figure
from benchmarks.table import BEGIN, END, PAGE, write


def figure(name, ratio=1.0, **measured):
    return Figure(name, 1_000, 0.5, 0.4, 0.6, ratio, **{"peak_mib": None} | measured)


def test_a_run_replaces_the_table_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}\nan older table\n{END}\n\nafter\n")
    figures = [
        ("core", figure("condvest", peak_mib=12)),
        ("core", figure("polars", 6.04)),
        ("core", figure("duckdb", 5.9)),
        ("archive", figure("condvest, zstd", bytes_a_row=27.4)),
        ("imports", figure("condvest parquet", peak_mib=501)),
        ("imports", figure("condvest csv.gz")),
    ]
    write({"cpu": "X", "cores": 2}, figures, "python -m benchmarks core", page)
    text = page.read_text()
    assert text.startswith(f"# Before\n\n{BEGIN}\n20")
    assert text.endswith(f"{END}\n\nafter\n")
    assert "older" not in text
    assert ", commit " in text
    assert "`python -m benchmarks core`" in text
    assert "Machine: cpu X, cores 2." in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| core | condvest | 1,000 | 0.5 | 1.00 | 12 | | | |",
        "| core | polars | 1,000 | 0.5 | 6.04 | | | ≥ 6 | yes |",
        "| core | duckdb | 1,000 | 0.5 | 5.90 | | | ≥ 6 | no |",
        "| archive | condvest, zstd | 1,000 | 0.5 | 1.00 | | 27.4 | ≤ 28 bytes | yes |",
        "| imports | condvest parquet | 1,000 | 0.5 | 1.00 | 501 | | ≤ 500 MiB | no |",
        "| imports | condvest csv.gz | 1,000 | 0.5 | 1.00 | | | ≤ 500 MiB | |",
    ]


def test_a_page_without_a_place_for_the_table_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("no marks\n")
    with pytest.raises(ValueError, match="no place for the table"):
        write({}, [], "x", page)
    assert page.read_text() == "no marks\n"


def test_the_page_has_the_place():
    text = PAGE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
