"""Load what the archive holds, one key after the other, however the events come.

Events come twice, out of order, and two at once. So a key that is loaded is passed over, one at a time is
loaded at all, and of a whole answer only the newest counts: an older one that comes late is passed over. An
answer that is not whole (the corrections of some weeks) is loaded though it comes late, and those that were
fetched after it once more behind it, so that the newest has the last word.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from condvest.batch_layer.database.migrate import check_schema
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.calendar_extension import sessions_ahead
from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.database.stores.loading import loads
from condvest.batch_layer.database.stores.loading.ledger import read_ledger
from condvest.batch_layer.fetching.lambda_functions.observing import Call
from condvest.batch_layer.fetching.ledger import missing_sessions
from condvest.batch_layer.fetching.loading.loader import Loader
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from condvest.batch_layer.shared.clients.parsing import parse
from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.settings import Settings

SWEPT = dt.timedelta(days=14)
"""A sweep looks for what was archived since so long ago, which is as long as a queue keeps a dead letter."""


@dataclass
class Loaded:
    """What loading did.

    Attributes:
        keys: what became of each key: ``loaded``, ``loaded already`` or ``passed over`` (a newer answer of
            the same sessions is loaded).
        counts: rows ``inserted``, ``altered``, ``withdrawn``, ``refused``, over all loads.
        partial: sessions that look cut short.
    """

    keys: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    partial: set[str] = field(default_factory=set)

    def add(self, summary: LoadSummary) -> None:
        """Count what a load did."""
        self.counts["inserted"] += summary.inserted
        self.counts["altered"] += summary.changed
        self.counts["withdrawn"] += summary.withdrawn
        self.counts["refused"] += sum(summary.refused.values())
        self.partial |= {session.isoformat() for session in summary.partial}


@contextmanager
def open_loader(settings: Settings, archive: S3Archive, now: dt.datetime) -> Iterator[Loader]:
    """Open the database, for one call: a connection that waits for the next one would be dead by then.

    Raises:
        SettingsError: no database is named.
        SchemaTooOld, SchemaTooNew, MigrationEdited: its schema is not the one of this version.
        DatabaseUnavailable, DatabaseError: it cannot be opened.
    """
    if settings.database.url is None:
        raise SettingsError("CONDVEST_DATABASE_URL is not set: a function has no database of its own")
    with Database(settings.database.url, aws.database_login(settings)) as database:
        check_schema(database)
        sessions = sessions_ahead(database, now, dict(settings.disputed_sessions))
        yield Loader(database, archive, sessions, parse, now)


def load_key(call: Call, loader: Loader, key: str, loaded: Loaded) -> None:
    """Load what the archive has under a key; see the module.

    Raises:
        ArchiveError, ArchiveUnavailable: it is missing or damaged, or S3 does not answer.
        InputError, TransientError, DatabaseError: as for `Loader.load`; nothing was stored.
    """
    with loader.database.locked("condvest archive loader"):
        with loader.database.transaction(read_only=True) as connection:
            is_loaded = loads.is_archived(connection, key)
            later = loads.archived_after(connection, key)
        if is_loaded:
            loaded.keys[key] = "loaded already"
        elif later and loader.archive.read(key).is_whole:
            loaded.keys[key] = "passed over"
        else:
            for each in (key, *later):
                for summary in loader.load_archived(each):
                    loaded.add(summary)
                    _tell(call, each, summary)
            loaded.keys[key] = "loaded"
    call.log.info(loaded.keys[key], key=key)


def not_loaded(loader: Loader, archive: S3Archive, provider: str) -> list[str]:
    """Return the keys of the last SWEPT of which no load is recorded, in the order of their fetches.

    Those that were passed over are among them: a newer answer is loaded, and they are passed over again.
    """
    since = loader.now - SWEPT
    earliest = since.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%S")
    recent = {key for key in archive.keys_below(f"{provider}/") if key.rpartition("/")[2] >= earliest}
    with loader.database.transaction(read_only=True) as connection:
        known = loads.archived_since(connection, since)
    return sorted(recent - known, key=lambda key: (key.rpartition("/")[2], key))


def measure_bars_staleness(call: Call, loader: Loader) -> None:
    """Measure how many hours changes have been waiting for the jobs at least: since the newest load.

    Before anything is loaded, so that what this call changes does not hide what waits. 0 if nothing waits.
    The jobs take what waits within minutes; nobody else notices an array that never starts.
    """
    hours = 0.0
    if changes_waiting(loader):
        with loader.database.transaction(read_only=True) as connection:
            last = loads.last_instants(connection)
        if last is not None:
            hours = (loader.now - last.loaded_at) / dt.timedelta(hours=1)
    call.measure(BarsStalenessHours=max(hours, 0.0))


def changes_waiting(loader: Loader) -> int:
    """Return how many records of change wait for the jobs that resample."""
    with loader.database.transaction(read_only=True) as connection:
        return changes.waiting(connection)


def measure_staleness(call: Call, loader: Loader, provider: str) -> None:
    """Measure how many sessions are not complete, and how many hours ago the oldest of them closed.

    From the first session that is held on; 0 hours if none is missing. Nothing before the first load.
    """
    with loader.database.transaction(read_only=True) as connection:
        provider_id = instruments.known_provider(connection, provider)
        if provider_id is None:
            return
        ledger = read_ledger(connection, provider_id)
    if not len(ledger):
        return
    sessions = loader.sessions
    missing = missing_sessions(ledger, int(ledger.ordinal[0]), sessions.last_closed(loader.now))
    hours = 0.0
    if len(missing):
        closed_at = sessions.closes_at[int(missing[0]) - sessions.first_ordinal].item()
        hours = (loader.now - closed_at.replace(tzinfo=dt.UTC)) / dt.timedelta(hours=1)
    call.measure(SessionsMissing=len(missing), StalenessHours=hours)


def _tell(call: Call, key: str, summary: LoadSummary) -> None:
    call.measure(**summary.metrics)
    for notice in summary.notices:
        call.log.warning("notice", key=key, notice=notice)
    if summary.needs_attention:
        partial = [session.isoformat() for session in summary.partial]
        call.log.warning("needs attention", key=key, refused=dict(summary.refused), partial=partial)
