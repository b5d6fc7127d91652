"""The code blocks of the documentation, and how they are run.

A block is run unless the line before it begins with ``<!-- not run``. Blocks of ``console`` show commands
(after ``$``) and what they print, where a line of three dots stands for anything; blocks of ``sh``, ``bash``
and ``python`` are run for their exit code, and a ``text`` block after one shows what it prints. Blocks of
``sql`` are run by DuckDB in the home directory; a ``text`` block shows the rows of the last statement.

Two commands are not run as they stand. ``make TARGET`` is held against the Makefile; where its output is
shown, it has to be ``make demo``, whose recipe is run. ``source .venv/bin/activate`` only has to name a file
that is there, since the tests run in that environment already.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

BIN = Path(sys.executable).parent

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_SEPARATE = ("make", "source")
_DUCKDB = "import duckdb, sys; print(duckdb.connect().sql(sys.argv[1]).fetchall())"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, whether it is to be run, and the output shown after it."""

    language: str
    text: str
    is_run: bool
    shown: str | None


def blocks_of(path):
    """Return the blocks of a document, in order."""
    text = path.read_text()
    matches = list(_FENCE.finditer(text))
    found = []
    for match, following in pairwise([*matches, None]):
        before = text[: match.start()].rstrip().rsplit("\n", 1)[-1]
        shown = None
        if following is not None and following[1] == "text" and match[1] in ("python", "sh", "bash", "sql"):
            shown = following[2]
        found.append(Block(match[1], match[2], not before.startswith("<!-- not run"), shown))
    return found


def commands_of(block):
    """Return (command, output shown or None) of a block."""
    if block.language != "console":
        return [(block.text, block.shown)]
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [tuple(part.split("\n", 1)) for part in parts]


def run_all(path, condvest, folder):
    """Run the blocks of a document in order, in one home and folder; yield (command, shown, printed).

    The program on ``condvest``'s PATH is the one that they run.
    """
    for block in blocks_of(path):
        if block.language not in ("console", "sh", "bash", "python", "sql") or not block.is_run:
            continue
        for command, shown in commands_of(block):
            yield command, shown, _printed(command, block, condvest, folder)


def _printed(command, block, condvest, folder):
    if block.language == "python":
        return _run([sys.executable, "-c", command], condvest, folder)
    if block.language == "sql":
        return _run([sys.executable, "-c", _DUCKDB, command], condvest, condvest.home)
    lines = command.splitlines()
    printed = ""
    if all(line.split()[0] in _SEPARATE for line in lines):
        for line in lines:
            printed += _separate(line.split("#")[0].split(), condvest, is_shown=block.language == "console")
        return printed
    return _run(["bash", "-euo", "pipefail", "-c", command], condvest, folder)


def _separate(words, condvest, *, is_shown):
    root = Path(__file__).parents[2]
    if words[0] == "source":
        assert words[1:] == [".venv/bin/activate"]
        assert (BIN / "activate").exists()
        return ""
    target = words[1]
    recipe = re.search(rf"^{target}:[^\n]*\n\t@?(.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert recipe, f"the Makefile has no target {target}"
    if not is_shown:
        return ""
    assert (target, recipe[1]) == ("demo", "$(BIN)/condvest demo")
    # make is called before the environment is activated, so its programs are not on PATH.
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != BIN]
    printed = _run([BIN / "condvest", "demo"], condvest, root, PATH=os.pathsep.join(path))
    return printed.replace(f"{BIN}/", ".venv/bin/")


def _run(command, condvest, folder, **env):
    ran = subprocess.run(
        command,
        cwd=folder,
        env=condvest.environ | {"HOME": str(folder)} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    # 3: done, but rows were refused, which some examples show on purpose.
    assert ran.returncode in (0, 3), f"{command}\n{ran.stdout}"
    return ran.stdout


def matches(shown, printed):
    """Tell whether what is printed is what is shown; instants and three dots stand for anything."""
    pattern = re.escape(_INSTANT.sub("INSTANT", shown.strip()))
    pattern = re.sub(r"^\\\.\\\.\\\.$", ".*", pattern, flags=re.MULTILINE)
    return re.fullmatch(pattern, _INSTANT.sub("INSTANT", printed.strip()), re.DOTALL) is not None
