"""The wiring: an open workspace to a collector of the session under way."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from condvest.batch_layer.operations import watch
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.massive.client import MassiveClient
from condvest.batch_layer.shared.clients.massive.provider import RATES
from condvest.batch_layer.shared.clients.massive.wire.transport import Transport
from condvest.batch_layer.shared.clients.publish_targets import target_at
from condvest.batch_layer.shared.clients.rate_limit import RateLimit
from condvest.batch_layer.shared.clients.yahoo.client import YahooClient
from condvest.batch_layer.shared.errors import SettingsError, UsageError
from condvest.batch_layer.shared.published.owner import DataDirectory
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.clock import utc_now
from condvest.batch_layer.shared.utils.extras import from_extra
from condvest.batch_layer.shared.utils.retry import Retry
from condvest.live.judging import judge
from condvest.live.references import read_references
from condvest.speed_layer.core.phases import SECOND
from condvest.speed_layer.feeds.inbox import StreamFeed
from condvest.speed_layer.feeds.polling import Feed, MassivePolling
from condvest.speed_layer.services.live_publication import LivePublication
from condvest.speed_layer.services.run import Job

if TYPE_CHECKING:
    from condvest.speed_layer.feeds.journal_copies import JournalCopies

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
    symbols: Sequence[str] = (),
    publishes: bool = False,
    measure: Callable[[Mapping[str, float]], None] = lambda _: None,
    now: Callable[[], dt.datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Job]:
    """Give the job that collects into the workspace.

    Args:
        workspace: where to.
        say: told what happens, in a sentence.
        feed: ``poll`` for Massive's snapshots alone, ``stream`` for its minutes that snapshots anchor,
            ``yahoo`` for Yahoo's stream of some symbols, which quotes anchor.
        symbols: of ``yahoo``; those of `condvest watch` if there are none.
        publishes: whether to publish the live rows where the workspace's data set is published.
        measure: told metrics by name.
        now: tells the instant, as an aware datetime.
        sleep: waits for so many seconds.

    Raises:
        SettingsError: there is no key, or what the stream needs is not installed.
        UsageError: there are no symbols, too many, or a feed of the whole market has some.
    """

    def job_of(snapshots: Feed, stream: StreamFeed | None) -> Job:
        return Job(
            database=workspace.database,
            sessions=workspace.sessions_ahead,
            feed=snapshots,
            judge=judge,
            journals=journals_of(workspace.settings),
            now=now,
            sleep=sleep,
            say=say,
            rules=read_references,
            stream=stream,
            copies=copies_of(workspace.settings, say),
            publication=_publication(workspace, say) if publishes else None,
            measure=measure,
        )

    if feed == "yahoo":
        yield job_of(*_yahoo(workspace, symbols, now))
        return
    if symbols:
        raise UsageError(f"--symbols are of --feed yahoo; --feed {feed} gives the whole market")
    settings = aws.with_secrets(workspace.settings)
    key = settings.massive.api_key
    if not key:
        raise SettingsError(
            "condvest live run needs Massive's API key and a plan with snapshots; set MASSIVE_API_KEY (or "
            "POLYGON_API_KEY). Without a key: --feed yahoo for some symbols; condvest live replay shows it"
        )
    limit = RateLimit.for_key(settings.home / "limits", key, RATES[settings.massive.plan])
    with MassiveClient(Transport(settings.massive.base_url, key), limit, retry=_SOON, now=now) as client:
        stream = _stream_of(settings, key) if feed == "stream" else None
        yield job_of(MassivePolling(client), stream)


def copies_of(settings: Settings, say: Callable[[str], None]) -> JournalCopies | None:
    """Return what copies the journal to a bucket and back; None if the settings name none."""
    if settings.journal_at is None:
        return None
    with from_extra("aws", "copies of the journal in S3"):
        from condvest.speed_layer.feeds.journal_copies import JournalCopies  # noqa: PLC0415  # an extra
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
        from condvest.speed_layer.feeds.massive.massive_stream import MassiveStream  # noqa: PLC0415  # an extra
    return MassiveStream(settings.massive.stream_url, key)


def _yahoo(
    workspace: Workspace, symbols: Sequence[str], now: Callable[[], dt.datetime]
) -> tuple[Feed, StreamFeed]:
    """Return Yahoo's quotes and its stream of the symbols."""
    with from_extra("yahoo", "the live bars of Yahoo"):
        from condvest.speed_layer.feeds.yahoo.yahoo_quotes import MOST_SYMBOLS, YahooQuotes  # noqa: PLC0415  # an extra
        from condvest.speed_layer.feeds.yahoo.yahoo_stream import YahooStream  # noqa: PLC0415  # an extra
    chosen = watch.named(workspace, "yahoo", symbols)
    if not 0 < len(chosen) <= MOST_SYMBOLS:
        raise UsageError(
            f"--feed yahoo follows 1 to {MOST_SYMBOLS} symbols, got {len(chosen)}: name them with --symbols "
            "AAPL,MSFT, or put them on the list: condvest watch add AAPL MSFT"
        )
    settings = workspace.settings.yahoo
    client = YahooClient(settings.base_url, workspace.settings.home / "yahoo")
    quotes = YahooQuotes(client, chosen, lambda: round(now().timestamp() * SECOND))
    return quotes, YahooStream(settings.stream_url, chosen)
