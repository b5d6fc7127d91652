"""What an earlier version archived is rebuilt to the rows that it held."""

import shutil
from pathlib import Path

from tests.support.in_process import Program

EARLIER = Path(__file__).parents[2] / "payloads" / "earlier_archive"


def test_an_archive_of_an_earlier_version_gives_the_rows_that_it_held(url, tmp_path):
    condvest = Program(url, tmp_path)
    shutil.copytree(EARLIER / "archive", tmp_path / "archive")
    before = {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()}
    condvest.done("rebuild", code=3)  # the row that was refused then is refused again
    for shown, options in (
        ("daily_bars.csv", ("--interval", "1", "--adjust", "none")),
        ("bars_3.csv", ("--interval", "3", "--include-open")),
    ):
        assert condvest.done("bars", *options, "--format", "csv").out == (EARLIER / shown).read_text()
    assert condvest.done("verify", "--json").json == {"findings": []}
    assert {path: path.read_bytes() for path in before} == before
