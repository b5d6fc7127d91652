"""A large import that is killed, kill -9, in any portion leaves nothing; the next one stores every row."""

import sys
import tempfile
from pathlib import Path

import pytest

from condvest.batch_layer.shared.clients.files import dividing
from tests.integration.loading.test_portions import held
from tests.support.gate import GATE, kill_at_gate
from tests.support.in_process import Program
from tests.support.payloads import BARS, bar, csv_of

SYMBOLS = [f"S{number}" for number in range(30)]

IMPORT = """
import sys
from condvest.batch_layer.shared.clients.files import dividing
from condvest.cli import main

dividing.ROWS_A_PORTION = 20
sys.argv = ["condvest", "--home", sys.argv[1], "--database-url", sys.argv[2], "import", sys.argv[3]]
main()
"""


def killed_at(url, home, path, point):
    """Kill an import, kill -9, when it is about to store the first row of a table, or to run a statement."""
    making = (
        "CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        f"PERFORM pg_advisory_xact_lock({GATE}); RETURN NEW; END$$;"
        f"CREATE TRIGGER gate BEFORE INSERT ON {point} FOR EACH ROW EXECUTE FUNCTION gate()"
        if point.islower()
        else "CREATE FUNCTION gate() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN "
        f"PERFORM pg_advisory_xact_lock({GATE}); END$$;"
        f"CREATE EVENT TRIGGER gate ON ddl_command_start WHEN TAG IN ('{point}') EXECUTE FUNCTION gate()"
    )
    kill_at_gate(url, making, (sys.executable, "-c", IMPORT, str(home), url, str(path)))


@pytest.mark.parametrize("point", ["loads", "refused_rows", "DROP TABLE", "ALTER INDEX", "ledger"])
def test_a_killed_import_leaves_nothing_and_the_next_stores_every_row(
    world, url, tmp_path, monkeypatch, point
):
    path = tmp_path / "bars.csv"
    rows = [bar(symbol, world.date(at)) for symbol in SYMBOLS for at in range(10)]
    path.write_bytes(csv_of(BARS, [*rows, *(bar(symbol, world.date(11), open="x") for symbol in SYMBOLS)]))
    before = held(world)
    killed_at(url, tmp_path, path, point)
    assert held(world) == before
    assert list(Path(tempfile.gettempdir()).glob("condvest-import-*")) == []
    assert world.number("SELECT count(*) FROM changes") == 0
    monkeypatch.setattr(dividing, "ROWS_A_PORTION", 20)
    condvest = Program(url, tmp_path)
    assert condvest.done("import", path, code=3).err.count("error:") == 0
    assert world.number("SELECT count(*) FROM daily_bars") == len(SYMBOLS) * 10
    assert world.ask("SELECT rows, inserted, refused FROM loads") == [(330, 300, 30)]
    assert world.number("SELECT count(*) FROM refused_rows") == 30
    assert world.differences() == []
    assert condvest.done("verify", "--json").json == {"findings": []}


def test_one_that_is_killed_in_a_store_with_bars_leaves_those(world, url, tmp_path):
    """There the rows go into the tables that others read."""
    path = tmp_path / "bars.csv"
    path.write_bytes(csv_of(BARS, [bar(symbol, world.date(at)) for symbol in SYMBOLS for at in range(10)]))
    world.bars([bar("S7", world.date(0))])
    before = held(world)
    killed_at(url, tmp_path, path, "daily_bars_7")
    assert held(world) == before
