"""What one SQL statement may take, and how it fails. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from condvest.batch_layer.shared.errors import DatabaseTimeout, PermanentError, UsageError


class BadStatement(UsageError):
    """The statement is none that is answered, or DuckDB refuses it; the message says why."""


class StatementTimeout(DatabaseTimeout):
    """The statement took longer than one may."""


class StatementTooLarge(PermanentError):
    """The statement needs more memory, or its answer has more rows, than one may."""


class WorkerLost(PermanentError):
    """The process that ran the statement ended by itself."""


@dataclass(frozen=True)
class Limits:
    """What one statement may take.

    Attributes:
        seconds: until it is ended.
        rows: of its answer.
        answer: bytes of its answer, in Arrow.
        memory: bytes that DuckDB works with; nothing is ever spilled to a disk.
        beside: bytes that the process may have beside them, for reading files and for the answer.
        statement: characters of its text.
    """

    seconds: float = 10.0
    rows: int = 100_000
    answer: int = 64 << 20
    memory: int = 512 << 20
    beside: int = 1 << 30
    statement: int = 20_000
