"""A rebuild that is stopped, wherever it is, goes on by the same command and ends with every row."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.loading.rebuilds import keep_from_rebuild
from condvest.batch_layer.fetching.loading.loader import Loader
from tests.support.gate import GATE, kill_at_gate
from tests.support.in_process import Program
from tests.support.payloads import BARS, bar, bars_payload, csv_of, json_payload
from tests.support.worlds.long_world import WITHOUT_INSTANTS, ReadableArchive

CONDVEST = Path(sys.executable).with_name("condvest")
FILES = 25
INSTANTS = [0, *(pytest.param(at, marks=pytest.mark.long) for at in range(1, 20))]


@pytest.fixture
def condvest(url, tmp_path):
    return Program(url, tmp_path)


@pytest.fixture
def loaded(world):
    """25 files of a session each, in an archive, and a correction of the first."""
    world.archive = world.workspace.archive
    rows = [[bar(symbol, world.date(at)) for symbol in ("A", "B")] for at in range(FILES)]
    world.load_all([bars_payload(of_file) for of_file in (*rows, [bar("A", world.date(0), 1)])])
    world.resample()
    return world


def held(world):
    """Return all rows but for what a rebuild's own clock says."""
    return {
        name: world.ask(f"SELECT t::text FROM {WITHOUT_INSTANTS.get(name, name)} AS t ORDER BY 1")
        for name in world.relations()
        if name not in ("runs", "changes", "sessions")  # the command extends the calendar
    }


def emptied(world):
    """Return what the database held, and leave it empty."""
    before = held(world)
    archive, world.archive = world.archive, ReadableArchive()
    world.empty()
    world.archive = archive
    return before


def killed_at(url, home, stored):
    """Kill a rebuild, kill -9, when it has stored so many loads and is storing the next."""
    making = (
        "CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        f"IF NEW.load_id > {stored} THEN PERFORM pg_advisory_xact_lock({GATE}); END IF; "
        "RETURN NEW; END$$;"
        "CREATE TRIGGER gate BEFORE INSERT ON loads FOR EACH ROW EXECUTE FUNCTION gate()"
    )
    kill_at_gate(url, making, (CONDVEST, "--home", str(home), "--database-url", url, "rebuild"))


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_killed_rebuild_goes_on_to_every_row(condvest, loaded, url, instant):
    """At any load of the archive, once and then once more."""
    before = emptied(loaded)
    chosen = random.Random(instant)
    first, second = sorted(chosen.sample(range(11, FILES), 2))
    for stored in (first, second):
        killed_at(url, condvest.home, stored)
        count = loaded.number("SELECT count(*) FROM loads")
        assert 0 < count <= stored
    said = [one["problem"] for one in condvest.done("verify", "--json", code=1).json["findings"]]
    assert sum("run condvest rebuild again" in one for one in said) == 1
    assert sum("has no load" in one for one in said) == FILES + 1 - count
    assert condvest.done("rebuild").err.count("error") == 0
    assert held(loaded) == before
    assert condvest.done("verify", "--json").json == {"findings": []}


def test_nothing_is_loaded_or_published_upon_half_a_rebuild(condvest, loaded, url, tmp_path):
    """Newer rows first, and then the older rest over them: that would be wrong without a word."""
    before = emptied(loaded)
    killed_at(url, condvest.home, 15)
    path = tmp_path / "new.csv"
    path.write_bytes(csv_of(BARS, [bar("A", loaded.date(1), 2)]))
    for command in (("import", path), ("publish", "--to", tmp_path / "published")):
        assert "run condvest rebuild again" in condvest.done(*command, code=2).err
    assert "run condvest rebuild again" in condvest.done("status", "--json").json["rebuild"]["to_do"]
    assert "has not ended; if it runs no more, run condvest rebuild again" in condvest.done("status").out
    condvest.done("rebuild")
    assert condvest.done("status", "--json").json["rebuild"] is None
    assert held(loaded) == before
    condvest.done("import", path)
    assert "holds loads already" in condvest.done("rebuild", code=2).err
    assert condvest.done("verify", "--json").json == {"findings": []}


def test_nothing_is_loaded_while_a_rebuild_runs_that_has_stored_nothing_yet(condvest, world, url, tmp_path):
    path = tmp_path / "new.csv"
    path.write_bytes(csv_of(BARS, [bar("A", world.date(1))]))
    with Database(url) as other, other.locked("condvest rebuild"):
        for command in (("import", path), ("publish", "--to", tmp_path / "published")):
            assert "condvest rebuild runs in this database" in condvest.done(*command, code=1).err
    assert world.number("SELECT count(*) FROM loads") == 0
    condvest.done("import", path)


def test_a_rebuild_waits_for_a_load_that_is_storing(url):
    """The load is there first, so the rebuild finds a database that is not empty."""

    class Waits(Exception):
        pass

    def on_wait(sentence):
        raise Waits(sentence)

    with Database(url) as loading, loading.transaction() as connection, Database(url) as rebuilding:
        keep_from_rebuild(connection, "load this again")
        rebuilding.on_wait = on_wait
        with pytest.raises(Waits, match="waiting for condvest"), rebuilding.locked("condvest rebuild"):
            pass


def test_a_rebuild_that_meets_a_damaged_payload_goes_on_when_it_is_mended(condvest, loaded):
    before = emptied(loaded)
    path = sorted((condvest.home / "archive").glob("*/*/*/*.csv.zst"))[20]
    content = path.read_bytes()
    path.write_bytes(content[:-2])
    assert "restore it from a backup" in condvest.done("rebuild", code=1).err
    path.write_bytes(content)
    condvest.done("rebuild")
    assert held(loaded) == before


def test_an_import_of_the_same_bytes_puts_back_what_the_archive_has_lost(condvest, world, tmp_path):
    """As after a power cut on a disk that forgot the name; a payload that is there is not written anew."""
    path = tmp_path / "own.csv"
    path.write_bytes(csv_of(BARS, [bar("A", world.date(0))]))
    condvest.done("import", path)
    (kept,) = (condvest.home / "archive").glob("*/*/*/*.csv.zst")
    lost = {one: one.read_bytes() for one in (kept, kept.with_suffix(".json"))}
    for one in lost:
        one.unlink()
    assert condvest.done("verify", "--json", code=1).json["findings"]
    condvest.done("import", path)
    assert {one: one.read_bytes() for one in lost} == lost
    assert condvest.done("verify", "--json").json == {"findings": []}
    assert world.number("SELECT count(*) FROM loads") == 1


def test_a_payload_that_could_never_be_stored_is_passed_over_and_told(condvest, loaded):
    """Whatever it does to what parses it; a row that cannot be stored is a refused one."""
    before = emptied(loaded)
    junk = json_payload("instruments", [{"ticker": "A", "name": "x\0y", "active": True}], whole=True)
    loaded.workspace.archive.keep(junk)
    odd = json_payload("splits", [None])
    loaded.workspace.archive.keep(odd)
    loaded.workspace.archive.keep(replace(odd, content=b"no JSON"))
    said = condvest.done("rebuild", code=3).err
    assert "passed over" in said
    assert said.count("its only row refused") == 2
    # But for the number of the load, the last value: what was refused is a load, too.
    bars, told = (
        [row.rpartition(",")[0] for (row,) in each["daily_bars"]] for each in (held(loaded), before)
    )
    assert bars == told
    assert condvest.done("verify", "--json").json == {"findings": []}


def test_a_payload_that_fails_by_no_fault_of_its_own_is_passed_over_and_the_rebuild_needs_a_look(
    condvest, loaded, monkeypatch
):
    """An error that no parser raises may be the program's: then the payload was loaded when it came."""
    before = emptied(loaded)
    odd = loaded.workspace.archive.keep(json_payload("splits", [None]))
    read = Loader.read_archived

    def failing(loader, key):
        if key == odd:
            raise TypeError("no such thing")
        return read(loader, key)

    with monkeypatch.context() as patched:
        patched.setattr(Loader, "read_archived", failing)
        said = condvest.done("rebuild", code=3).err
    assert f"check {odd}: passed over: TypeError: no such thing" in said
    assert held(loaded)["daily_bars"] == before["daily_bars"]
    condvest.done("publish")  # it has ended
