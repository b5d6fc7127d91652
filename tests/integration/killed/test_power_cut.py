"""After a power cut at any instant, one ordinary run brings database, archive and published data together."""

import csv
import io
import os
import random

import pytest

from tests.support.in_process import Program
from tests.support.payloads import BARS, bar, csv_of
from tests.support.power import Disk, PowerCut

SESSIONS = ("2021-12-29", "2021-12-30", "2021-12-31", "2022-01-03", "2022-01-04")
INSTANTS = {"import": 180, "publish": 95, "rebuild": 245, "run": 355}
"""About how many instants each command has: syncs of its own files and messages to the database."""

CUTS = [
    *(("import", 1), ("publish", 1), ("rebuild", 1)),
    *(
        pytest.param(command, seed, marks=pytest.mark.long)
        for command, most in (("import", 10), ("publish", 12), ("rebuild", 8), ("run", 5))
        for seed in range(2, most)
    ),
]


@pytest.fixture
def condvest(url, tmp_path):
    """Two files are imported and published; a third is not yet."""
    program = Program(url, tmp_path / "home")
    rows = [[bar(symbol, session, at) for session in SESSIONS] for at, symbol in enumerate(("A", "B", "A"))]
    for at, of_file in enumerate(rows):
        (tmp_path / f"{at}.csv").write_bytes(csv_of(BARS, of_file))
    program.done("import", tmp_path / "0.csv", tmp_path / "1.csv")
    program.done("publish")
    return program


def closes(condvest, *options):
    """Return the closes by symbol and session that the command shows."""
    shown = condvest.done("bars", "A", "B", "--interval", "1", "--format", "csv", *options).out
    rows = csv.DictReader(io.StringIO(shown))
    return {(row["symbol"], row["first_session"]): float(row["close"]) for row in rows}


def emptied(world):
    tables = ", ".join(
        name for name in world.tables() if name not in ("sessions", "calendar_sources", "schema_migrations")
    )
    world.looking.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")


@pytest.mark.parametrize(("command", "seed"), CUTS)
def test_one_ordinary_run_after_a_power_cut_brings_all_together(condvest, world, tmp_path, command, seed):
    chosen = random.Random(f"{command} {seed}")
    asked = {"import": ("import", tmp_path / "2.csv"), "run": ("run", "--provider", "sample")}
    expected = {
        (symbol, session): bar(symbol, session, at)["close"]
        for at, symbol in enumerate(("A", "B", "A"))
        for session in SESSIONS
        if at < 2 or command in ("import", "publish", "rebuild")
    }
    if command in ("publish", "rebuild"):
        condvest.done("import", tmp_path / "2.csv")
    if command == "rebuild":
        emptied(world)
    disk = Disk(condvest.home, chosen)
    with disk.cut_at(chosen.randrange(INSTANTS[command])):
        condvest(*asked.get(command, (command,)))
    if command != "rebuild":
        found = condvest("verify", "--json").json["findings"]
        assert [one for one in found if one["what"] == "archive"] == [], "what is loaded is archived"
    condvest(*asked.get(command, (command,)))
    condvest.done("publish", *(["--take-over"] if command == "rebuild" else []))
    assert condvest.done("verify", "--json").json == {"findings": []}
    assert closes(condvest) == expected
    assert closes(condvest, "--source", "published") == expected


def test_the_stand_in_forgets_what_was_not_synced(tmp_path):
    """A file, its name, a renaming and a removal: each stays only if its sync came."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "old").write_bytes(b"old")
    pessimist = random.Random()
    pessimist.choice = lambda pair: pair[0]
    disk = Disk(root, pessimist)
    with disk.cut_at(10):
        (root / "unsynced").write_bytes(b"1")
        with (root / "synced").open("wb") as file:
            file.write(b"2")
        (root / "old").unlink()
    assert {path.name: path.read_bytes() for path in root.iterdir()} == {"old": b"old"}


def test_the_stand_in_stops_everything_at_its_instant(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    disk = Disk(root, random.Random(1))
    with disk.cut_at(1), (root / "file").open("wb") as file:
        os.fsync(file.fileno())
        for _ in range(2):
            with pytest.raises(PowerCut):
                os.fsync(file.fileno())
        assert disk.instants == 1
