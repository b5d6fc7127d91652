"""Where a NATS server is, and what of that may be shown; pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from condvest.batch_layer.shared.errors import SettingsError


def checked_url(url: str) -> str:
    """Return a URL of a server.

    Raises:
        SettingsError: it is none; the message leaves out what may be secret.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("nats", "tls") or not parts.hostname:
        raise SettingsError("a NATS server is named as nats://host:4222 or tls://host:4222")
    return url


def shown(url: str) -> str:
    """Return a URL without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
