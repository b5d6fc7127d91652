"""Run commands of condvest in processes that need not import it first, which is most of a short one's time.

Each command is a process of its own, with its own arguments, environment, directory and streams; only what
the interpreter reads when it starts is its parent's.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson

PARENT = "tests.support.warm_parent"
ROOT = Path(__file__).parents[2]
READ_AT_START = ("LANG", "LC_", "PYTHON", "TZ", "OPENBLAS", "ARROW", "MALLOC", "LD_")
"""Prefixes of the variables that are read when the interpreter starts, or a library when it is loaded."""


def can_run(options):
    """Tell whether a command with these options of ``subprocess.run`` is the same if it is forked."""
    return options.keys() <= {"text", "capture_output", "env", "timeout", "input"} and (
        options.get("capture_output") and _at_start(options["env"]) == _at_start(os.environ)
    )


def _at_start(environ):
    return {name: value for name, value in environ.items() if name.startswith(READ_AT_START)}


class WarmProgram:
    """A parent of commands, and its children; one command at a time."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self._channel, self._answers = ours, ours.makefile("rb")
        self._parent = subprocess.Popen([sys.executable, "-m", PARENT], stdin=theirs, cwd=ROOT)
        theirs.close()

    def run(self, arguments, *, env, timeout, text, input=None, **_):  # noqa: A002  # as subprocess names it
        """Run a command to its end, as ``subprocess.run`` with ``capture_output`` does."""
        command = {"arguments": arguments, "environ": env, "directory": str(Path.cwd())}
        with ThreadPoolExecutor(3) as pool:
            (stdin, given), (out, stdout), (err, stderr) = (os.pipe() for _ in range(3))
            streams = (stdin, stdout, stderr)
            socket.send_fds(self._channel, [orjson.dumps(command) + b"\n"], streams)
            for file in streams:
                os.close(file)
            pid = int(self._answers.readline())
            content = (input or "").encode() if text else input or b""
            pool.submit(_write, given, content)
            printed = [pool.submit(_read, file) for file in (out, err)]
            try:
                texts = [reading.result(timeout) for reading in printed]
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self._answers.readline()  # else it would be taken for the next command's exit code
                raise
            code = int(self._answers.readline())
        if text:
            texts = [content.decode().replace("\r\n", "\n") for content in texts]
        return subprocess.CompletedProcess(arguments, code, *texts)

    def close(self):
        self._answers.close()
        self._channel.close()
        self._parent.wait()


def _write(stream, content):
    with contextlib.suppress(BrokenPipeError), os.fdopen(stream, "wb") as file:
        file.write(content)


def _read(stream):
    with os.fdopen(stream, "rb") as file:
        return file.read()
