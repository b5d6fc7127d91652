"""Sends an event to a webhook over HTTP: once, to a checked address, within a deadline, following nothing."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from condvest.batch_layer.shared.variables import Network
from condvest.speed_layer.webhooks.addresses import Address, as_address, is_allowed, is_named, refusal

DEADLINE = 10.0
"""Seconds in which a receiver has to take an event and answer, from the first packet to the last header."""

Resolve = Callable[[str, int], Sequence[Address]]


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt.

    Attributes:
        status: of the answer; None if there was none.
        error: why it is none that counts; None if the event has been taken.
        retry_after: seconds that the receiver asks to be waited; None if it does not say.
        is_final: whether another attempt makes no sense.
    """

    status: int | None
    error: str | None = None
    retry_after: float | None = None
    is_final: bool = False


class Forbidden(Exception):
    """The host of a webhook has an address that webhooks may not go to."""


def resolved(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, as the system resolves it."""
    literal = as_address(host)
    if literal is not None:
        return [literal]
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [as_address(str(entry[4][0])) for entry in entries]
    return [address for address in dict.fromkeys(addresses) if address is not None]


class Poster:
    """Posts to webhooks. May be used by several threads at once."""

    def __init__(
        self,
        networks: Sequence[Network] = (),
        resolve: Resolve = resolved,
        *,
        trust: ssl.SSLContext | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        """Take the networks that may be reached though they are not public.

        Args:
            networks: the networks.
            resolve: returns the addresses of a host.
            trust: whom to trust; the usual authorities if None.
            deadline: seconds for an attempt.
        """
        self._networks = networks
        self._resolve = resolve
        self._trust = trust or httpx.create_ssl_context()
        self._deadline = deadline

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Post to a URL and return what became of it; the body of the answer is not read."""
        target = httpx.URL(url)
        backend = _Checked(self._networks, self._resolve, time.monotonic() + self._deadline, target.scheme)
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._deadline)
        try:
            with (
                httpcore.ConnectionPool(self._trust, network_backend=backend) as pool,
                pool.stream(
                    "POST",
                    url,
                    headers=[*headers.items(), ("Host", target.netloc.decode()), ("Connection", "close")],
                    content=body,
                    extensions={"timeout": timeout},
                ) as answer,
            ):
                given = {name.lower(): value for name, value in answer.headers}
                return _outcome(answer.status, given.get(b"retry-after", b""))
        except Forbidden as error:
            return Outcome(None, str(error), is_final=True)
        except socket.gaierror as error:
            return Outcome(None, f"{target.host} cannot be resolved: {error.strerror}")
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            return Outcome(None, f"{type(error).__name__}: {error}".rstrip(": "))


def _outcome(status: int, retry_after: bytes) -> Outcome:
    if 200 <= status < 300:  # noqa: PLR2004  # the classes of HTTP's statuses
        return Outcome(status)
    if 300 <= status < 400:  # noqa: PLR2004  # as above
        return Outcome(status, f"the receiver answered {status}; redirects are not followed")
    wait = float(retry_after) if retry_after.isdigit() and len(retry_after) < 7 else None  # noqa: PLR2004
    return Outcome(status, f"the receiver answered {status}", wait, is_final=status == 410)  # noqa: PLR2004


class _Checked(httpcore.NetworkBackend):
    """Connects to an address that has been checked, never to a name that resolves anew."""

    def __init__(self, networks: Sequence[Network], resolve: Resolve, until: float, scheme: str) -> None:
        self._networks = networks
        self._resolve = resolve
        self._until = until
        self._scheme = scheme
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the deadline counts
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host, if webhooks may go to all of them."""
        addresses = self._resolve(host, port)
        for address in addresses:
            if not is_allowed(address, self._networks):
                raise Forbidden(refusal(host, address))
        for address in addresses:
            if self._scheme == "http" and not is_named(address, self._networks):
                raise Forbidden(f"{host} is {address}: webhooks go there by https alone")
        if not addresses:
            raise OSError(f"{host} has no address")
        stream = self._backend.connect_tcp(
            str(addresses[0]), port, _left(self._until), local_address, socket_options
        )
        return _Bounded(stream, self._until)


class _Bounded(httpcore.NetworkStream):
    """A stream whose reads and writes all end by one deadline, however many there are."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the deadline counts
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # as above
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # as above
    ) -> httpcore.NetworkStream:
        return _Bounded(self._stream.start_tls(ssl_context, server_hostname, _left(self._until)), self._until)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # as httpcore has it
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    """Return the seconds until a deadline.

    Raises:
        ReadTimeout: none are left.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the receiver took too long")
    return left
