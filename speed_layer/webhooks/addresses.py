"""Which addresses a webhook may go to; pure.

A rule's webhook is a URL that somebody typed. It must not reach what only this machine reaches: itself, its
network, the metadata service of a cloud. So the scheme is https, and every address that the name resolves to
has to be a public one, whenever it is called; networks that are to be reached all the same are named in a
setting.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import httpx

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.variables import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST = 2000
_LAST_PORT = 65535
_LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
"""The last part of what resolvers take for an address: ``2130706433``, ``0x7f.1``."""


def is_allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Return whether a webhook may go to an address: a public one, or one of the networks named."""
    return _is_within(address, networks) or all(_is_public(each) for each in _meant(address))


def is_named(address: Address, networks: Sequence[Network]) -> bool:
    """Return whether an address is in one of the networks named, to which http will do."""
    return _is_within(address, networks)


def checked_url(text: str, networks: Sequence[Network]) -> str:
    """Return the URL of a webhook as it was given.

    Raises:
        UsageError: it is no https:// URL, holds a user or a fragment, or names an address that is not public.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise UsageError(f"a webhook is a URL such as https://example.com/hook: {error}") from error
    if url.scheme not in ("https", "http") or not url.host or len(text) > _LONGEST:
        raise UsageError("a webhook is a URL such as https://example.com/hook")
    if url.userinfo or url.fragment:
        raise UsageError("a webhook's URL holds no user and no fragment; the signature says who sends it")
    if url.port is not None and not 0 < url.port <= _LAST_PORT:
        raise UsageError(f"a port is 1 to {_LAST_PORT}, got {url.port}")
    address = as_address(url.host)
    if address is None:
        _check_name(url.host, networks)
    elif not is_allowed(address, networks):
        raise UsageError(refusal(url.host, address))
    if url.scheme == "http" and (address is None or not is_named(address, networks)):
        raise UsageError(
            "a webhook begins with https://; http:// is for addresses in CONDVEST_WEBHOOK_NETWORKS alone"
        )
    return text


def _check_name(host: str, networks: Sequence[Network]) -> None:
    """Raise UsageError if a name can be none, or is known to be this machine's."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    if not _NAME.fullmatch(host) and host.isascii():
        raise UsageError(
            f"no host has the name {host!r}; a webhook is a URL such as https://example.com/hook"
        )
    if _NUMBER.fullmatch(last):
        raise UsageError(
            f"{host} is no address as they are written: four decimal numbers, such as 203.0.113.7"
        )
    if last == "localhost" and not is_allowed(_LOOPBACK, networks):
        raise UsageError(refusal(host, _LOOPBACK))


def refusal(host: str, address: Address) -> str:
    """Return the sentence that says why an address is refused."""
    return (
        f"{host} is {address}, which is not a public address; name its network in CONDVEST_WEBHOOK_NETWORKS "
        "if webhooks may go there"
    )


def as_address(host: str) -> Address | None:
    """Return the address that a host is; None if it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def shown_url(text: str) -> str:
    """Return a webhook's URL without what may be secret in it, its path and query; a topic as it is."""
    if text.startswith("sns:"):
        return text
    url = httpx.URL(text)
    has_more = url.raw_path not in (b"", b"/")
    return f"{url.scheme}://{url.netloc.decode()}/{'***' if has_more else ''}"


def _meant(address: Address) -> list[Address]:
    """Return an address and those of IPv4 that it stands for."""
    meant: list[Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        meant += [each for each in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())) if each]
    return meant


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return True  # as public as what it stands for, which is asked as well
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in network for network in networks)
