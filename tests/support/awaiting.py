"""Waiting for what a process does, without taking the processor from it."""

import contextlib
import subprocess


def wait_for(holds, process):
    """Return when ``holds()`` is true, asked every 20 ms; fail if the process ends before."""
    while not holds():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            said = process.stderr.read() if process.stderr else ""
            raise AssertionError(f"it ended with {process.returncode} before: {said}")
