"""Whether the embedded server listens on TCP too, for programs that know no Unix socket.

As a rule it does not. ``condvest db up --listen`` writes the file ``listen`` beside the data, every start
reads it, and ``condvest db down`` removes it. It takes only addresses of this machine: nothing encrypts.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from condvest.batch_layer.database.embedded.locks import opened
from condvest.batch_layer.shared.errors import DatabaseError, UsageError

_SMALLEST_PORT, _LARGEST_PORT = 1024, 65535


@dataclass(frozen=True)
class Listening:
    """Where a server listens on TCP.

    Attributes:
        address: an address of the loopback interface, such as ``127.0.0.1``.
        port: its port, which is also part of the socket's name.
    """

    address: str
    port: int

    @property
    def access(self) -> str:
        """Lines of the server's access file: the superuser never, others by a password (scram-sha-256)."""
        one_address = f"{self.address}/{ipaddress.ip_address(self.address).max_prefixlen}"
        return f"host all condvest {one_address} reject\nhost condvest all {one_address} scram-sha-256\n"


def listening_of(address: str, port: int) -> Listening:
    """Return where to listen.

    Raises:
        UsageError: the address is none of this machine's own, or the port is none.
    """
    text = "127.0.0.1" if address == "localhost" else address
    try:
        is_own = ipaddress.ip_address(text).is_loopback
    except ValueError:
        is_own = False
    if not is_own:
        raise UsageError(
            f"--listen {address}: expected 127.0.0.1 or ::1. The embedded server encrypts nothing, so it "
            "serves this machine alone; for others use a PostgreSQL server with TLS (docs/postgres.md)"
        )
    if not _SMALLEST_PORT <= port <= _LARGEST_PORT:
        raise UsageError(f"--port {port}: expected a port from {_SMALLEST_PORT} to {_LARGEST_PORT}")
    return Listening(text, port)


def read_listening(root: Path) -> Listening | None:
    """Return where the server whose files are in ``root`` is to listen; None if on no port.

    Raises:
        DatabaseError: the file says something else.
    """
    try:
        text = (root / "listen").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    address, _, port = text.strip().partition(" ")
    try:
        return listening_of(address, int(port))
    except (UsageError, ValueError) as exc:
        raise DatabaseError(f"{root / 'listen'}: expected an address and a port; remove it") from exc


def write_listening(root: Path, listening: Listening | None) -> None:
    """Let every later start listen there; on no port if None."""
    file = root / "listen"
    if listening is None:
        file.unlink(missing_ok=True)
    else:
        descriptor = opened(file)  # without following a link
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{listening.address} {listening.port}\n".encode("ascii"))
        finally:
            os.close(descriptor)
