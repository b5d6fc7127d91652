"""The rows of the session under way, published beside the data set: ``live.parquet``, about once a minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.daily.live import read_live
from condvest.batch_layer.database.stores.fingerprints import identity
from condvest.batch_layer.shared.errors import PublishedUnavailable
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.live import LIVE, to_parquet
from condvest.batch_layer.shared.published.manifest import CURRENT
from condvest.batch_layer.shared.published.owner import DataDirectory, owner_of
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.batch_layer.shared.published.versions import manifest_of
from condvest.speed_layer.core.phases import SECOND

EVERY = 60 * SECOND


@dataclass(eq=False)
class LivePublication:
    """Publishes the live rows of one database.

    Attributes:
        database: with the live rows.
        target: where the data set of the same database is published.
        sessions: the calendar.
        directory: of the data of an embedded database; None of a server that others run.
        say: told what fails, in a sentence.
        through: up to when the published rows' data are, microseconds since 1970-01-01 UTC; None before any.
    """

    database: Database
    target: PublishTarget
    sessions: Sessions
    directory: DataDirectory | None = None
    say: Callable[[str], None] = field(default=lambda _: None)
    through: int | None = None
    _due: int = 0

    def tick(self, now: int) -> None:
        """Publish if it is due; raises what `write` does, unless the target does not answer: that is said."""
        if now < self._due:
            return
        self._due = now + EVERY
        try:
            self.write()
        except PublishedUnavailable as error:
            self.say(f"{LIVE} is as it was: {error}")

    def write(self) -> None:
        """Publish the rows of one state of the database, whole.

        Raises:
            PublishedError: the target refuses, or holds the data set of another database, whose instruments
                have other numbers.
            PublishedUnavailable: the target does not answer.
            DatabaseError, DatabaseUnavailable: the rows cannot be read.
        """
        manifest = manifest_of(self.target.read(CURRENT), self.target)
        with self.database.transaction(snapshot=True, read_only=True) as connection:
            owner = owner_of(identity(connection), self.directory, manifest, self.target, take_over=False)
            live = read_live(connection)
        self.target.write(to_parquet(live, self.sessions, owner), LIVE)
        self.through = int(live.data_through.max()) if len(live) else None
