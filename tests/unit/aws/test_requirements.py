"""What is shipped has the versions of the lock files."""

import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
EXPORT = ROOT / "batch_layer/deploy/packing/requirements.py"


def test_the_requirements_of_what_is_shipped_are_those_of_the_lock_files():
    done = subprocess.run([sys.executable, EXPORT, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), f"run: python {EXPORT.relative_to(ROOT)}"


def test_every_version_shipped_is_in_a_lock_file():
    """A second look, with no help of the export: name and version, and one of its hashes."""
    locks = (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()
    for name in ("fetching", "processing"):
        lines = (ROOT / f"batch_layer/{name}/requirements.txt").read_text().splitlines()
        named = [
            line.removesuffix("\\").partition(" ;")[0].strip()
            for line in lines
            if line and not line.startswith("#")
        ]
        assert len(named) > 50
        assert [line for line in named if line not in locks] == []


def test_each_interpreter_finds_one_version_of_everything():
    """Where the lock files have several, the markers part them: for every Python exactly one holds."""
    text = (ROOT / "batch_layer/fetching/requirements.txt").read_text()
    lines = [Requirement(line.removesuffix("\\")) for line in text.splitlines() if "==" in line]
    names = {one.name for one in lines}
    assert {one.name for one in lines if one.marker} >= {"numpy"}
    for python, full in (("3.11", "3.11.2"), ("3.11", "3.11.7"), ("3.12", "3.12.1"), ("3.13", "3.13.0")):
        here = {"python_version": python, "python_full_version": full}
        found = [one.name for one in lines if one.marker is None or one.marker.evaluate(here)]
        assert sorted(found) == sorted(names)
