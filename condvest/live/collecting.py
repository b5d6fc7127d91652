"""The wiring: an open workspace to a collector of the session under way."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from batch_layer.operations.workspace import Workspace
from batch_layer.shared.clients import aws
from batch_layer.shared.clients.massive.client import MassiveClient
from batch_layer.shared.clients.massive.provider import RATES
from batch_layer.shared.clients.massive.transport import Transport
from batch_layer.shared.clients.publish_targets import target_at
from batch_layer.shared.clients.rate_limit import RateLimit
from batch_layer.shared.errors import SettingsError
from batch_layer.shared.published.owner import DataDirectory
from batch_layer.shared.settings import Settings
from batch_layer.shared.utils.clock import utc_now
from batch_layer.shared.utils.extras import from_extra
from batch_layer.shared.utils.retry import Retry
from condvest.live.judging import judge
from condvest.live.references import read_references
from speed_layer.feeds.inbox import StreamFeed
from speed_layer.feeds.polling import MassivePolling
from speed_layer.services.publishing import LivePublication
from speed_layer.services.run import Job

if TYPE_CHECKING:
    from speed_layer.feeds.journal_copies import JournalCopies

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
    publishes: bool = False,
    measure: Callable[[Mapping[str, float]], None] = lambda _: None,
    now: Callable[[], dt.datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Job]:
    """Give the job that collects from Massive into the workspace.

    Args:
        workspace: where to.
        say: told what happens, in a sentence.
        feed: ``poll`` for snapshots alone, ``stream`` for minutes that snapshots anchor.
        publishes: whether to publish the live rows where the workspace's data set is published.
        measure: told metrics by name.
        now: tells the instant, as an aware datetime.
        sleep: waits for so many seconds.

    Raises:
        SettingsError: there is no key, or what the stream needs is not installed.
    """
    settings = aws.with_secrets(workspace.settings)
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
            copies=copies_of(settings, say),
            publication=_publication(workspace, say) if publishes else None,
            measure=measure,
        )


def copies_of(settings: Settings, say: Callable[[str], None]) -> JournalCopies | None:
    """Return what copies the journal to a bucket and back; None if the settings name none."""
    if settings.journal_at is None:
        return None
    with from_extra("aws", "copies of the journal in S3"):
        from speed_layer.feeds.journal_copies import JournalCopies  # noqa: PLC0415  # an extra
    return JournalCopies.of(settings.journal_at, aws.client("s3"), say)


def _publication(workspace: Workspace, say: Callable[[str], None]) -> LivePublication:
    settings = workspace.settings
    directory = None
    if settings.database.url is None:
        directory = DataDirectory.of(settings.home, settings.published)
    return LivePublication(
        workspace.database, target_at(settings.published), workspace.sessions_ahead, directory, say
    )


def _stream_of(settings: Settings, key: str) -> StreamFeed:
    with from_extra("stream", "Massive's stream"):
        from speed_layer.feeds.massive_stream import MassiveStream  # noqa: PLC0415  # an extra
    return MassiveStream(settings.massive.stream_url, key)
