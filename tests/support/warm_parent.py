"""Commands of condvest, each forked from a process that has imported the program: see ``warm_program``.

Spoken over the socket that is standard input, one command at a time: a line of JSON with the descriptors of
the three streams beside it; answered by the number of the process, and by its exit code when it has ended.
"""

import gc
import importlib
import json
import os
import pkgutil
import socket
import sys

from condvest.cli import main

PRELOADED = (
    *(
        "condvest",
        "condvest.batch_layer.operations",
        "condvest.batch_layer.database",
        "condvest.batch_layer.fetching.loading",
    ),
    *("condvest.batch_layer.processing", "condvest.batch_layer.shared", "condvest.serving_layer"),
)
LIBRARIES = (
    "exchange_calendars",
    "orjson",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "rich.table",
)
"""What the commands import when they need it."""


def preload():
    for name in PRELOADED:
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if not module.name.rpartition(".")[2].startswith("__"):
                importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()


def serve(channel):
    while True:
        data, streams, _, _ = socket.recv_fds(channel, 1 << 20, 3)
        while data and not data.endswith(b"\n"):
            data += channel.recv(1 << 20)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            channel.close()
            become(json.loads(data), streams)
            main()
            sys.exit()
        for stream in streams:
            os.close(stream)
        channel.sendall(f"{pid}\n".encode())
        channel.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())


def become(command, streams):
    """Take the streams, the environment, the directory and the arguments of a command."""
    for number, (name, stream) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        os.dup2(stream, number)
        os.close(stream)
        began = getattr(sys, f"__{name}__")
        how = {"encoding": began.encoding, "errors": began.errors, "closefd": False}
        setattr(sys, name, os.fdopen(number, "w" if number else "r", 1 if number == 2 else -1, **how))
    os.environ.clear()
    os.environ.update(command["environ"])
    os.chdir(command["directory"])
    sys.argv = command["arguments"]
    sys.modules["__main__"].__package__ = None  # by which click tells a script from a module


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as spoken:
        preload()
        serve(spoken)
