"""The wiring: an open workspace to a collector of the session under way."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from batch_layer.operations.workspace import Workspace
from batch_layer.shared.clients.massive.client import MassiveClient
from batch_layer.shared.clients.massive.provider import RATES
from batch_layer.shared.clients.massive.transport import Transport
from batch_layer.shared.clients.rate_limit import RateLimit
from batch_layer.shared.errors import SettingsError
from batch_layer.shared.settings import Settings
from batch_layer.shared.utils.clock import utc_now
from batch_layer.shared.utils.extras import from_extra
from batch_layer.shared.utils.retry import Retry
from condvest.live.judging import judge
from condvest.live.references import read_references
from speed_layer.feeds.inbox import StreamFeed
from speed_layer.feeds.polling import MassivePolling
from speed_layer.services.run import Job

_SOON = Retry(attempts=3, longest=5.0, budget=20.0)
"""A snapshot that comes late is worth less than the next one."""


def journals_of(settings: Settings) -> Path:
    """Return the directory of the journals: beside the archive of one machine."""
    return settings.home / "live"


@contextmanager
def collecting(
    workspace: Workspace,
    say: Callable[[str], None],
    *,
    feed: str = "poll",
    now: Callable[[], dt.datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Job]:
    """Give the job that collects from Massive into the workspace.

    Args:
        workspace: where to.
        say: told what happens, in a sentence.
        feed: ``poll`` for snapshots alone, ``stream`` for minutes that snapshots anchor.
        now: tells the instant, as an aware datetime.
        sleep: waits for so many seconds.

    Raises:
        SettingsError: there is no key, or what the stream needs is not installed.
    """
    settings = workspace.settings
    key = settings.massive.api_key
    if not key:
        raise SettingsError(
            "condvest live run needs Massive's API key and a plan with snapshots; set MASSIVE_API_KEY (or "
            "POLYGON_API_KEY). To see it without a key: condvest live replay"
        )
    limit = RateLimit.for_key(settings.home / "limits", key, RATES[settings.massive.plan])
    with MassiveClient(Transport(settings.massive.base_url, key), limit, retry=_SOON, now=now) as client:
        yield Job(
            database=workspace.database,
            sessions=workspace.sessions_ahead,
            feed=MassivePolling(client),
            judge=judge,
            journals=journals_of(settings),
            now=now,
            sleep=sleep,
            say=say,
            rules=read_references,
            stream=_stream_of(settings, key) if feed == "stream" else None,
        )


def _stream_of(settings: Settings, key: str) -> StreamFeed:
    with from_extra("stream", "Massive's stream"):
        from speed_layer.feeds.massive_stream import MassiveStream  # noqa: PLC0415  # an extra
    return MassiveStream(settings.massive.stream_url, key)
