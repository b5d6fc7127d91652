"""Programs that are forked from a process which has imported them.

To import it is most of the time of a short command, and some are started by the hundred. ``python forked.py
SOCKET aws|provider|condvest`` serves until its standard input ends; ``call.py`` is what a caller starts in
place of the program. Each is the program as it is, in a process of its own, with its own arguments,
environment, directory and streams.

It stands alone: it is run by the Python of the environment that has the program.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

TESTS = Path(__file__).parents[2]
READ_AT_START = (b"LANG", b"LC_", b"PYTHON", b"TZ", b"OPENBLAS", b"ARROW", b"MALLOC", b"LD_")
"""Prefixes of the variables that are read when the interpreter starts, or a library when it is loaded."""

_KEPT = ("AWS_DATA_PATH",)
"""Set when awscli is imported: where its own models lie."""

_MOST = 1 << 20

_PACKAGES = (
    "condvest",
    "condvest.batch_layer.operations",
    "condvest.batch_layer.database",
    "condvest.batch_layer.fetching.loading",
    "condvest.batch_layer.processing",
    "condvest.batch_layer.shared",
    "condvest.serving_layer",
)
_LIBRARIES = (
    "exchange_calendars",
    "orjson",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "rich.table",
)
"""What condvest's commands import when they need it."""


def aws():
    """Import what commands of AWS import once they run; return what runs one."""
    driver = importlib.import_module("awscli.clidriver")
    for package in ("awscli.customizations", "botocore"):  # the second is awscli's own
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            with contextlib.suppress(ImportError):  # what needs a library that is not there
                importlib.import_module(module.name)
    importlib.import_module("awscli.handlers")
    return driver.main


def provider():
    """Import the provider's stand-in and what it needs to create things; return what runs it."""
    sys.path.append(str(TESTS / "infrastructure/stand_in"))
    for name in ("boto3", "cryptography.x509", "grpc", "tf.gen.grpc_controller_pb2_grpc"):
        importlib.import_module(name)
    return importlib.import_module("provider").main


def condvest():
    """Import the program; return what runs a command of it."""
    sys.path[0] = str(TESTS.parent)
    main = importlib.import_module("condvest.cli").main
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.rpartition(".")[2].startswith("__"):
                importlib.import_module(module.name)
    for name in _LIBRARIES:
        importlib.import_module(name)

    def run():
        sys.modules["__main__"].__package__ = None  # by which click tells a script from a module
        main()

    return run


def serve(path, run, read_at_start):
    """Fork a process for each caller that has the same of these variables; another starts it anew."""
    gc.freeze()

    def at_start(variables):
        return {name: value for name, value in variables.items() if name.startswith(read_at_start)}

    ours = at_start(os.environb)

    def is_the_same(variables):
        return at_start(variables) == ours

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        print("listening", flush=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who calls, and for what it has started
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _become(connection, run, is_the_same)
            connection.close()


def _become(connection, run, is_the_same):
    """Take what the caller is, run the program, and say its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 255
    try:
        data, streams, _, _ = socket.recv_fds(connection, _MOST, 3)
        while not data.endswith(b"\0\0"):
            data += connection.recv(_MOST)
        words, variables, (directory,) = (part.split(b"\0") for part in data[:-2].split(b"\0\1\0"))
        variables = dict(variable.split(b"=", 1) for variable in variables)
        if not is_the_same(variables):
            connection.sendall(b"not")
            os._exit(0)
        _take(words, variables, directory, streams)
        threading.Thread(target=_obey, args=(connection,), daemon=True).start()
        code = run()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 -- the interpreter's own last words
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # whoever read it went away
                stream.flush()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # the caller goes as soon as it knows
        with contextlib.suppress(OSError):
            connection.sendall(bytes([code or 0]))
        os._exit(0)


def _take(words, variables, directory, streams):
    for number, (name, stream) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        os.dup2(stream, number)
        os.close(stream)
        began = getattr(sys, f"__{name}__")
        how = {"encoding": began.encoding, "errors": began.errors, "closefd": False}
        # As the interpreter opens them: a terminal's output goes by the line, and errors do anywhere.
        buffering = 1 if number == 2 or os.isatty(number) else -1
        setattr(sys, name, os.fdopen(number, "w" if number else "r", buffering, **how))
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)
    os.environb.update(variables)
    os.chdir(directory)
    sys.argv = list(map(os.fsdecode, words))


def _obey(connection):
    """Take the signals that the caller passes on; one that is killed takes the program with it."""
    while number := connection.recv(1):
        os.kill(os.getpid(), number[0])
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    program = {"aws": aws, "provider": provider, "condvest": condvest}[sys.argv[2]]
    # The tools of AWS are started as this process was, and have no other way to be.
    serve(sys.argv[1], program(), READ_AT_START if program is condvest else ())
