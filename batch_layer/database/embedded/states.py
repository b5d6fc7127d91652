"""What the embedded server is found to be, and what a stop of it came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Down(Enum):
    """What ``EmbeddedServer.down`` found and did."""

    NOT_RUNNING = "was not running"
    STOPPED = "stopped"
    IN_USE = "still in use by others; it stops when the last of them leaves"


@dataclass(frozen=True)
class ServerStatus:
    """The state of the embedded server.

    Attributes:
        running: whether it answers.
        kept: whether it stays up when nobody uses it.
        pid: process id of the server, or None if it is not running.
        version: version of the running server, else the major version that made the data, else None.
        data_directory: where the data lie, or will lie.
        socket_directory: where the socket lies, or would lie.
        log: what the server says.
    """

    running: bool
    kept: bool
    pid: int | None
    version: str | None
    data_directory: Path
    socket_directory: Path
    log: Path
