"""Which host a request is for: by its header, and by its line if that names one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.http.answers.problems import Forbidden

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

TARGET = "condvest.target"
"""Where the scope holds what stood in the request's line, as bytes: ASGI leaves out a host named there."""

_PORT = re.compile(r":\d+$")
_AUTHORITY_ENDS = re.compile(rb"[/?#]")


def check_hosts(scope: Mapping[str, Any], hosts: Sequence[str]) -> None:
    """Refuse a request that names a host of others, in its header or in its line.

    Args:
        scope: the request, as ASGI has it.
        hosts: the names that are ours, without ports.

    Raises:
        UsageError: it has not just one header Host.
        Forbidden: it names another host.
    """
    named_hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(named_hosts) != 1:
        raise UsageError(f"expected one header Host, got {len(named_hosts)}")
    for named_host in (*named_hosts, *_host_in(scope)):
        host = _PORT.sub("", named_host.decode("latin-1"))
        if host not in hosts:
            raise Forbidden(
                f"this server does not answer for the host {host!r}; ask for one that it has, or start it "
                "with --host-name"
            )


def _host_in(scope: Mapping[str, Any]) -> list[bytes]:
    """Return the host that the request's line names, with its port; none if the line has a path alone.

    ``GET http://other.example/v1/version`` is the form of RFC 9112, 3.2.2, in which the line outweighs the
    header. The text is taken as it stands, so that a host with a user before it is no host that we have.
    """
    target: bytes = scope.get(TARGET) or scope.get("raw_path") or b"/"
    if target.startswith(b"/"):
        return []
    return [_AUTHORITY_ENDS.split(target.partition(b"://")[2], maxsplit=1)[0]]
