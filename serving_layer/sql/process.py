"""The worker of SQL statements as its parent sees it: started when needed, ended when it is too slow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from condvest.batch_layer.shared.errors import CondvestError, PublishedError, SettingsError
from condvest.serving_layer.sql.limits import (
    BadStatement,
    Limits,
    StatementTimeout,
    StatementTooLarge,
    WorkerLost,
)

_GRACE = 5.0
"""Seconds beyond a statement's own, for the process to start; then it is killed."""

_ERRORS: dict[str, type[CondvestError]] = {
    "bad": BadStatement,
    "large": StatementTooLarge,
    "unavailable": PublishedError,
}

_NEEDED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "SSL_CERT_FILE")
"""Variables that the worker is given; none holds a secret of Condvest's."""

_OF_BUCKETS = ("AWS_", "HOME")
"""How those begin that it is given beside, to read files in a bucket."""


class SqlProcess:
    """Runs statements one after the other. Its methods may be called from several threads at once."""

    def __init__(self, where: Path | str, limits: Limits | None = None) -> None:
        """Run statements over what is published at a directory or bucket.

        Raises:
            SettingsError: DuckDB is not installed.
        """
        try:
            import duckdb  # noqa: F401, PLC0415  # said now, and not at the first statement
        except ImportError as error:
            raise SettingsError(
                f"SQL needs the extra `sql`: pip install 'condvest[sql]' ({error})"
            ) from error
        self._where = where
        self._limits = limits or Limits()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, statement: str) -> tuple[pa.Table, str]:
        """Run one SELECT over the current version, and return its rows and the version.

        Raises:
            BadStatement: it is no single SELECT, or DuckDB refuses it.
            StatementTimeout, StatementTooLarge: it takes more than the limits.
            WorkerLost: the process ended by itself.
            PublishedError: nothing is published, or it cannot be read.
        """
        if len(statement) > self._limits.statement:
            raise BadStatement(
                f"the statement has {len(statement)} characters, more than {self._limits.statement}"
            )
        with self._lock:
            head, content = self._asked(statement)
        if "error" in head:
            raise _ERRORS[head["error"]](head["message"])
        return pa.ipc.open_stream(content).read_all(), str(head["version"])

    def close(self) -> None:
        """End the process, in the middle of a statement if there is one."""
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._leave()

    def _asked(self, statement: str) -> tuple[dict[str, Any], bytes]:
        process = self._running()
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(self._limits.seconds + _GRACE, end)
        timer.start()
        try:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  # both are pipes
            process.stdin.write(json.dumps({"statement": statement}).encode() + b"\n")
            process.stdin.flush()
            head: dict[str, Any] = json.loads(process.stdout.readline())
            content = process.stdout.read(head["bytes"])
            if len(content) != head["bytes"]:
                raise ValueError("the answer was cut off")  # noqa: TRY301  # as where the head was
        except (OSError, ValueError) as error:
            raise self._ended(process, error, is_late=is_late.is_set()) from error
        finally:
            timer.cancel()
        return head, content

    def _ended(self, process: subprocess.Popen[bytes], error: Exception, *, is_late: bool) -> CondvestError:
        """Return what the end of the process means for the statement that it ran."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        process.kill()
        status = process.wait()
        self._leave()
        if is_late or status == -signal.SIGALRM:
            return StatementTimeout(
                f"a statement may take {self._limits.seconds:g} s, and this one took longer; ask for fewer "
                "rows, or read the published files with a DuckDB of your own: /v1/datasets"
            )
        return WorkerLost(f"the process that ran the statement ended with {status} ({error})")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._leave()
        in_bucket = isinstance(self._where, str)
        process = subprocess.Popen(
            [sys.executable, "-m", "condvest.serving_layer.sql.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                name: value
                for name, value in os.environ.items()
                if name in _NEEDED or (in_bucket and name.startswith(_OF_BUCKETS))
            },
        )
        assert process.stdin is not None  # noqa: S101  # it is a pipe
        first = {"where": str(self._where), "limits": asdict(self._limits)}
        process.stdin.write(json.dumps(first).encode() + b"\n")
        self._process = process
        return process

    def _leave(self) -> None:
        """Forget the process, which has ended or is ended now."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not sent is for nobody
                    pipe.close()
