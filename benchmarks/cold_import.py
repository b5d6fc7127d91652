"""How long a cold start imports: the loader as it is shipped, by the interpreter of its runtime.

Beside it the bare interpreter, which is the floor, and pandas from the same layer, which the loader does
without. The seconds are of the processor, each of a fresh process; the loader has a budget.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks.report import figures
from tests.support.aws import artefacts as aws_artefacts

OURS = "archive_loader"
BUDGET = 0.7
"""Seconds; `test_aws_packages.py` holds all functions to it."""

WORK = {
    OURS: "batch_layer.fetching.lambda_functions.archive_loader",
    "pandas": "pandas",
    "the interpreter alone": "sys",
}


def run(options):
    """Yield a figure a contender."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = {"function": Path(scratch) / "task", "layer": Path(scratch) / "opt"}
        for part, folder in folders.items():
            with zipfile.ZipFile(aws_artefacts.built(part)) as archive:
                archive.extractall(folder)
        path = os.pathsep.join([str(folders["function"]), str(folders["layer"] / "python")])
        seconds = {name: [] for name in WORK}
        for _ in range(options.repeats):
            for name, module in WORK.items():
                seconds[name].append(cold(module, path))
    slowest = max(seconds[OURS])
    verdict = "within" if slowest < BUDGET else "OVER"
    print(f"cold_import: {OURS} {slowest:.3f} s at worst, {verdict} its {BUDGET} s", file=sys.stderr)
    yield from figures(seconds, {}, 0, OURS)


def cold(module, path):
    """Return the processor's seconds of a new process that imports one module."""
    done = subprocess.run(
        [aws_artefacts.runtime(), "-B", "-c", f"import time, {module}; print(time.process_time())"],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
