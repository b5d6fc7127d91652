"""What a command costs from its start to its end, the server up.

Beside each the floor: the interpreter, and the libraries that the command cannot do without, imported and no
more.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import read, stored
from benchmarks.report import figures, in_turns
from condvest.batch_layer.operations.publish import publish_all
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.settings import Settings

RUN = "from condvest.cli import main; main()"
DATABASE = "import click, numpy, psycopg"
TABLES = "import click, numpy, psycopg, pyarrow"
COMMANDS = {
    "--version": "import click",
    "status": DATABASE,
    "instruments": TABLES,
    "bars S7": TABLES,
    "bars S7 --interval 1": TABLES,
    "gaps --format csv": TABLES,
    "publish": TABLES,
}
"""Commands to what they cannot do without."""

MOST_ROUNDS = 5


def run(options):
    """Yield two figures a command."""
    rounds = min(options.repeats, MOST_ROUNDS)
    with tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder:
        settings = Settings(home=Path(folder))
        with open_workspace(settings, now=stored.NOW) as workspace:
            read.fill(workspace, options)
            publish_all(workspace, settings.published)
            for command, floor in COMMANDS.items():
                contenders = {
                    f"condvest {command}": partial(program, folder, RUN, *command.split()),
                    f"{command}: {floor}": partial(program, folder, floor),
                }
                yield from figures(in_turns(contenders, rounds), {}, options.rows, f"condvest {command}")


def program(home, code, *arguments):
    """Run Python code with arguments, as a command would be."""
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "CONDVEST_HOME": str(home)},
        check=True,
        capture_output=True,
    )
