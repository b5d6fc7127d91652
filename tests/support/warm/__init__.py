"""Start programs that are forked from a process which has imported them; see ``forked.py``."""

import atexit
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def warmed(program, python, environ):
    """Yield the words that start a program of ``forked.py``; its path has to follow, then its arguments.

    Args:
        program: the name that it has there.
        python: the interpreter of the environment that has the program.
        environ: of the process from which it is forked.
    """
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:  # a socket's path has to be short
        served = f"{folder}/socket"
        process = subprocess.Popen(
            [str(python), str(HERE / "forked.py"), served, program],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout.readline() == b"listening\n"
            yield [str(python), "-IS", str(HERE / "call.py"), served]
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait()


@cache
def forked_program():
    """Return the words that start condvest so, as long as this process lives; its path has to follow."""
    stack = ExitStack()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDVEST_", "PG"))}
    words = stack.enter_context(warmed("condvest", sys.executable, kept))
    atexit.register(stack.close)
    return words
