"""What a server answers from without a database: a published data set, its current version or a kept one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from condvest.batch_layer.shared.clients.publish_targets import target_at
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.contract import Source
from condvest.serving_layer.http.backends.reference import Reference
from condvest.serving_layer.http.backends.states import NotServed, State
from condvest.serving_layer.opening import open_published
from condvest.serving_layer.queries.bars.answering import Answer
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources import BarSource
from condvest.serving_layer.sources.live import LiveSource
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sources.published_live import live_digest, with_live
from condvest.serving_layer.sources.published_loaded import loaded_through
from condvest.serving_layer.sources.published_past import PublishedPast, as_known

if TYPE_CHECKING:
    from condvest.batch_layer.database.opening import OpenDatabase

_VERSION = re.compile(r"p-[0-9a-f]{8}-[1-9]\d{0,7}", re.ASCII)


class PublishedBackend:
    """Answers from one version of a published data set, which names providers by number only."""

    has_database = False

    def __init__(self, settings: Settings, version: str | None = None) -> None:
        """Answer from the published data set of the settings: its current version, or the one named."""
        self._settings = settings
        self._version = version
        self.reference = Reference(self)

    @property
    def opened(self) -> OpenDatabase:
        """There is no database."""
        raise NotServed(
            "a published data set does not hold this; ask a server that reads the database "
            "(condvest serve --source database)"
        )

    def at(self, version: str) -> PublishedBackend:
        """Return what answers from one version; see `Backend`."""
        if not _VERSION.fullmatch(version):
            hint = (
                "a state of the database is not kept: ask for as_of=, or for a version that was published"
                if version.startswith("d-")
                else "expected one such as p-0123abcd-42; /v1/datasets names those that are kept"
            )
            raise UsageError(f"version: {version!r} is no published version; {hint}")
        return PublishedBackend(self._settings, version)

    def of(self, source: Source) -> PublishedBackend:
        """Return this: there is no database; see `Backend`."""
        if source == "database":
            raise UsageError(
                "source: this server reads published files and no database; leave out source, or ask a "
                "server that was started with condvest serve --source database"
            )
        return self

    def state(self, *, live: bool = False) -> State:
        """Return the version, and with ``live`` which live rows lie beside it."""
        source = self.published()
        return State(source.version, 0).beside(live_digest(source) if live else None)

    @contextmanager
    def reading(
        self, as_of: dt.datetime | None = None, known_by: int | None = None
    ) -> Iterator[tuple[BarSource, State]]:
        """Give the version, or what it knew at an instant."""
        if known_by is not None:
            raise NotServed("a published data set is not read as of a load; ask for the first page again")
        source = self.published()
        known = as_known(source, as_of)
        through = loaded_through(source, known.known_by if isinstance(known, PublishedPast) else EVERY_LOAD)
        yield known, State(source.version, 0, through, source.manifest.published_at.isoformat())

    def stored(self, question: Question) -> tuple[Answer, State] | None:  # noqa: ARG002  # as `Backend` has it
        """Return None: `reading` opens nothing that is not open."""
        return None

    def asking(self, question: Question) -> None:  # as `Backend` has it
        """Return None: reading files blocks."""

    def line(self) -> None:
        """Return None: there is no database."""

    def with_live(self, source: Any, state: State) -> tuple[LiveSource, State]:  # noqa: ANN401  # of `reading`
        """Return the version with the live rows that lie beside it now."""
        live, digest = with_live(source)
        return live, state.beside(digest)

    def published(self) -> PublishedSource:
        """Return the version as it is published; raises PublishedGone if it is no longer kept."""
        return open_published(self._settings, self._version)

    def target(self) -> PublishTarget:
        """Return where it is published."""
        return target_at(self._settings.published)

    def prepare_soon(self) -> None:
        """There is nothing to make ready: a file is read for each state."""

    async def state_soon(self) -> State | None:
        """Return None: reading a file blocks."""
        return None

    def close(self) -> None:
        """Nothing stays open."""
