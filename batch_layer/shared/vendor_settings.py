"""The settings of the vendors, in groups, and how each group is read from an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from condvest.batch_layer.shared import variables
from condvest.batch_layer.shared.errors import SettingsError

MassivePlan = Literal["basic", "paid"]
"""``basic``: 5 calls a minute, two years back, nothing before the end of the session. ``paid``: any other."""

MASSIVE_BASE_URL = "https://api.massive.com"
MASSIVE_STREAM_URL = "wss://socket.massive.com/stocks"
YAHOO_STREAM_URL = "wss://streamer.finance.yahoo.com/?version=2"
FLATFILES_ENDPOINT = "https://files.massive.com"


@dataclass(frozen=True)
class MassiveSettings:
    """Massive's REST service and its stream.

    Attributes:
        api_key: the key, secret; None if there is none (``MASSIVE_API_KEY``, else ``POLYGON_API_KEY``).
        plan: what the key may ask for (``CONDVEST_MASSIVE_PLAN``: ``basic`` or ``paid``).
        base_url: address of the service (``CONDVEST_MASSIVE_BASE_URL``; ``https://api.polygon.io`` works
            as well).
        secret: name or ARN of the secret of AWS Secrets Manager that holds the key, read if no key is
            given; None if there is none (``CONDVEST_MASSIVE_SECRET``).
        stream_url: address of the stream (``CONDVEST_MASSIVE_STREAM_URL``); plans whose data are late have
            ``wss://delayed.massive.com/stocks``.
    """

    api_key: str | None = field(default=None, repr=False)
    plan: MassivePlan = "basic"
    base_url: str = MASSIVE_BASE_URL
    secret: str | None = None
    stream_url: str = MASSIVE_STREAM_URL

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> MassiveSettings:
        """Read the group; raises SettingsError as `Settings.from_env` does."""
        url = variables.vendor_url(environ, "CONDVEST_MASSIVE_BASE_URL", MASSIVE_BASE_URL)
        stream = variables.vendor_url(environ, "CONDVEST_MASSIVE_STREAM_URL", MASSIVE_STREAM_URL, "ws")
        return cls(
            api_key=variables.secret(environ, "MASSIVE_API_KEY")
            or variables.secret(environ, "POLYGON_API_KEY"),
            plan=_massive_plan(variables.text(environ, "CONDVEST_MASSIVE_PLAN") or cls.plan),
            base_url=url or cls.base_url,
            secret=variables.text(environ, "CONDVEST_MASSIVE_SECRET"),
            stream_url=stream or cls.stream_url,
        )


@dataclass(frozen=True)
class FlatFilesSettings:
    """Massive's flat files, which lie in a bucket with keys of its own.

    Attributes:
        endpoint: address of the bucket's service (``CONDVEST_FLATFILES_ENDPOINT``).
        bucket: its name (``CONDVEST_FLATFILES_BUCKET``).
        key_id: id of the key, secret; None if there is none (``CONDVEST_FLATFILES_KEY_ID``).
        secret: the key itself, secret; None if there is none (``CONDVEST_FLATFILES_SECRET``).
    """

    endpoint: str = FLATFILES_ENDPOINT
    bucket: str = "flatfiles"
    key_id: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> FlatFilesSettings:
        """Read the group; raises SettingsError as `Settings.from_env` does."""
        url = variables.vendor_url(environ, "CONDVEST_FLATFILES_ENDPOINT", FLATFILES_ENDPOINT)
        return cls(
            endpoint=url or cls.endpoint,
            bucket=variables.text(environ, "CONDVEST_FLATFILES_BUCKET") or cls.bucket,
            key_id=variables.secret(environ, "CONDVEST_FLATFILES_KEY_ID"),
            secret=variables.secret(environ, "CONDVEST_FLATFILES_SECRET"),
        )


@dataclass(frozen=True)
class YahooSettings:
    """Yahoo's service.

    Attributes:
        base_url: its address, or None for Yahoo itself (``CONDVEST_YAHOO_BASE_URL``).
        stream_url: address of its stream (``CONDVEST_YAHOO_STREAM_URL``).
    """

    base_url: str | None = None
    stream_url: str = YAHOO_STREAM_URL

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> YahooSettings:
        """Read the group; raises SettingsError as `Settings.from_env` does."""
        stream = variables.vendor_url(environ, "CONDVEST_YAHOO_STREAM_URL", YAHOO_STREAM_URL, "ws")
        return cls(
            variables.vendor_url(environ, "CONDVEST_YAHOO_BASE_URL", "https://query2.finance.yahoo.com"),
            stream or YAHOO_STREAM_URL,
        )


def _massive_plan(text: str) -> MassivePlan:
    for plan in get_args(MassivePlan):
        if text == plan:
            return plan  # type: ignore[no-any-return]  # get_args does not say of what type they are
    raise SettingsError(
        f"CONDVEST_MASSIVE_PLAN must be basic or paid, not {text!r} (paid is every plan but the free one)"
    )
