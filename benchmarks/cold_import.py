"""How long a cold start imports: the functions as they are shipped, by the interpreter of their runtime.

The loader, and what serves. Beside them the bare interpreter, which is the floor, and pandas from the layer,
which the loader does without. The seconds are of the processor, each of a fresh process; both have a budget.
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
SERVES = "serve_function"
BUDGETS = {OURS: 0.7, SERVES: 0.8}
"""Seconds."""

WORK = {
    OURS: "condvest.batch_layer.fetching.lambda_functions.archive_loader",
    SERVES: "condvest.serving_layer.aws.serve_function",
    "pandas": "pandas",
    "the interpreter alone": "sys",
}


def run(options):
    """Yield a figure a contender."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = {part: Path(scratch) / part for part in ("function", "layer", "serving")}
        for part, folder in folders.items():
            with zipfile.ZipFile(aws_artefacts.built(part)) as archive:
                archive.extractall(folder)
        paths = dict.fromkeys(
            WORK, os.pathsep.join([str(folders["function"]), str(folders["layer"] / "python")])
        )
        paths[SERVES] = str(folders["serving"])
        seconds = {name: [] for name in WORK}
        for _ in range(options.repeats):
            for name, module in WORK.items():
                seconds[name].append(cold(module, paths[name]))
    for name, budget in BUDGETS.items():
        slowest = max(seconds[name])
        verdict = "within" if slowest < budget else "OVER"
        print(f"cold_import: {name} {slowest:.3f} s at worst, {verdict} its {budget} s", file=sys.stderr)
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
