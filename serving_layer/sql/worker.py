"""The process that runs SQL statements: ``python -m condvest.serving_layer.sql.worker``.

It is asked by lines of JSON on standard input, and answers each with a line of JSON on standard output that
says how many bytes of Arrow follow. DuckDB never opens a file: it is given the published files as Arrow data
sets that are open for reading, and all of its own access is off and locked. Beside that the kernel lets the
process write to no file, bounds its memory, and ends it when a statement takes too long.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa

from condvest.batch_layer.shared.clients.publish_targets import target_at
from condvest.batch_layer.shared.errors import CondvestError, PublishedError
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sql.datasets import Datasets
from condvest.serving_layer.sql.limits import BadStatement, Limits, StatementTooLarge
from condvest.serving_layer.sql.plain import plain

_BATCH = 10_000

_LOCKED = (
    "SET temp_directory = ''",
    "SET max_temp_directory_size = '0KB'",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET allow_persistent_secrets = false",
    "SET threads = 1",
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
"""In this order: the last two forbid every further one."""

_READING_FAILED = "reading the stream registered as"
"""What DuckDB (2.0.1) says when an Arrow data set cannot be read; the rest of the text names the file."""


def main() -> None:
    """Answer statements until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    first = json.loads(sys.stdin.readline())
    limits = Limits(**first["limits"])
    where = first["where"] if str(first["where"]).startswith("s3://") else Path(first["where"])
    _restrict(limits)
    for line in sys.stdin:
        # The kernel ends this process then, whatever it does, and also if its parent is gone.
        signal.setitimer(signal.ITIMER_REAL, limits.seconds)
        head, content = _answer(where, json.loads(line)["statement"], limits)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(answers, head, content)


def _send(answers: IO[bytes], head: dict[str, Any], content: pa.Buffer | bytes) -> None:
    answers.write(json.dumps(head | {"bytes": len(content)}).encode() + b"\n")
    answers.write(content)
    answers.flush()


def _answer(where: Path | str, statement: str, limits: Limits) -> tuple[dict[str, Any], pa.Buffer | bytes]:
    """Return the head of an answer and its content: an Arrow stream, or nothing where it failed."""
    try:
        datasets = _datasets(where)
        table = plain(_run(datasets, statement, limits))
    except BadStatement as error:
        return {"error": "bad", "message": str(error)}, b""
    except StatementTooLarge as error:
        return {"error": "large", "message": str(error)}, b""
    except (MemoryError, pa.ArrowMemoryError, duckdb.OutOfMemoryException):
        return {"error": "large", "message": _memory(limits)}, b""
    except CondvestError as error:
        return {"error": "unavailable", "message": str(error)}, b""
    if table.nbytes > limits.answer:
        return {"error": "large", "message": _rows(limits)}, b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return {"version": datasets.source.version}, sink.getvalue()


def _datasets(where: Path | str) -> Datasets:
    """Return the data sets of the version that is the current one now."""
    source = PublishedSource.open(target_at(where))
    if _of_version.get("version") != source.version:
        _of_version.update(version=source.version, datasets=Datasets(source))
    datasets: Datasets = _of_version["datasets"]
    return datasets


_of_version: dict[str, Any] = {}
"""The version that was asked last: its name and its data sets."""


def _run(datasets: Datasets, statement: str, limits: Limits) -> pa.Table:
    with duckdb.connect(":memory:", config={"python_enable_replacements": "false"}) as connection:
        for name, dataset in datasets.for_statement(statement):
            connection.register(name, dataset)
        connection.execute(f"SET memory_limit = '{limits.memory >> 10}KiB'")
        for setting in _LOCKED:
            connection.execute(setting)
        try:
            return _rows_of(connection, statement, limits)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            if _READING_FAILED in str(error):
                raise PublishedError(f"published files cannot be read: {error}") from error
            raise BadStatement(str(error)) from error


def _rows_of(connection: duckdb.DuckDBPyConnection, statement: str, limits: Limits) -> pa.Table:
    statements = connection.extract_statements(statement)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(each.type.name for each in statements) or "nothing"
        raise BadStatement(f"expected one SELECT, got {kinds}; this server only reads")
    reader = connection.sql(statement).to_arrow_reader(_BATCH)
    batches, rows, size = [], 0, 0
    for batch in reader:
        rows += batch.num_rows
        size += batch.nbytes
        if rows > limits.rows or size > limits.answer:
            raise StatementTooLarge(_rows(limits))
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _rows(limits: Limits) -> str:
    return (
        f"the answer has more than {limits.rows} rows or {limits.answer >> 20} MiB, the most that a "
        "statement gives; add a WHERE or a LIMIT, aggregate, or read the published files: /v1/datasets"
    )


def _memory(limits: Limits) -> str:
    return (
        f"the statement needs more than the {limits.memory >> 20} MiB that one works with; join or sort "
        "fewer rows, or read the published files with a DuckDB of your own: /v1/datasets"
    )


def _restrict(limits: Limits) -> None:
    """Have the kernel hold what DuckDB promises; a system that knows a limit not goes without it."""
    duckdb.execute("SELECT 1").fetchall()  # what is loaded once counts as there
    bounds = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bounds[resource.RLIMIT_AS] = pages * resource.getpagesize() + limits.memory + limits.beside
    for which, most in bounds.items():
        with suppress(OSError, ValueError):
            resource.setrlimit(which, (most, most))


if __name__ == "__main__":
    main()
