"""How much of Condvest a read from the database loads: each module costs every process that asks once."""

import os
import subprocess
import sys

from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.settings import Settings
from tests.support.payloads import bar
from tests.support.worlds.world import World

BUDGET = 45
"""Modules with code below the face; most packages' own files hold a docstring and no more."""

ONLY_FOR_OTHERS = {
    "condvest.batch_layer.database.embedded.start": "starting the server",
    "condvest.batch_layer.database.embedded.cluster": "starting the server",
    "condvest.batch_layer.database.embedded.account": "starting the server",
    "condvest.batch_layer.database.embedded.binaries": "starting the server",
    "condvest.batch_layer.database.postgres.connecting.poolers": "a pooler before the server",
    "condvest.batch_layer.database.stores.calendar_extension": "making the calendar",
    "condvest.batch_layer.shared.utils.calendar": "making the calendar",
    "condvest.batch_layer.shared.clients.aws": "a password from AWS",
    "condvest.batch_layer.shared.models.instruments.symbols": "loading the vendor's listings",
    "condvest.rounds": "published files",
    "condvest.serving_layer.sources.database": "what one statement cannot answer",
}
"""What a read of a running server leaves unloaded, and what it is for."""

READ = """
import pathlib, sys, condvest
print(len(condvest.bars("A", interval=3, include_open=True)))
for name, module in list(sys.modules.items()):
    if name.startswith("condvest."):
        if "\\n" in pathlib.Path(module.__file__).read_text().strip():
            print(name)
"""


def test_a_read_of_a_running_server_loads_few_modules(home, sessions):
    with open_workspace(Settings(home=home)) as workspace:
        workspace.extended_sessions()
        world = World(workspace, sessions)
        world.bars([bar("A", world.date(at)) for at in range(6)])
        world.resample()
        world.close()
        environment = {**os.environ, "CONDVEST_HOME": str(home)}
        done = subprocess.run(
            [sys.executable, "-c", READ], capture_output=True, text=True, check=True, env=environment
        )
    bars, *loaded = done.stdout.split()
    assert int(bars) >= 2
    assert "condvest.serving_layer.queries.bars.stored_bars" in loaded
    assert {name: use for name, use in ONLY_FOR_OTHERS.items() if name in loaded} == {}
    below = sorted(name for name in loaded if not name.startswith("condvest."))
    assert len(below) < BUDGET, f"{len(below)} modules: {' '.join(below)}"
