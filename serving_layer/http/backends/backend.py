"""What a server answers from: a database, or a published data set."""

from __future__ import annotations

import datetime as dt
from contextlib import AbstractContextManager
from typing import Any, Protocol

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.postgres.asked import Asked
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.contract import Source
from condvest.serving_layer.http.backends.database_backend import DatabaseBackend
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from condvest.serving_layer.http.backends.reference import Reference
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.backends.stored import Asking
from condvest.serving_layer.queries.bars.answering import Answer
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources import BarSource
from condvest.serving_layer.sources.live import LiveSource
from condvest.serving_layer.sources.published import PublishedSource


class Backend(Protocol):
    """One source of answers. Its methods may be called from several threads at once."""

    has_database: bool
    """Whether it answers from the database: what is not published, and what was known by an earlier load."""

    def state(self, *, live: bool = False) -> State:
        """Return the present state of the data; with ``live``, of the session under way too."""

    def reading(
        self, as_of: dt.datetime | None = None, known_by: int | None = None
    ) -> AbstractContextManager[tuple[BarSource, State]]:
        """Give a source of one state of the data, and that state.

        Args:
            as_of: read what was known at this instant; what is known now if None.
            known_by: read what was known when this load had been stored; with ``as_of``, the earlier counts.
        """
        ...

    def stored(self, question: Question) -> tuple[Answer, State] | None:
        """Return the answer to a question, and its state, if that takes less than `reading`; else None."""
        ...

    def asking(self, question: Question) -> Asking | None:
        """Return what answers a question over a `line`, without blocking; None if it takes more."""
        ...

    def line(self) -> Asked | None:
        """Return a connection for an event loop, prepared; it blocks. None if it would be of no use."""
        ...

    def with_live(self, source: Any, state: State) -> tuple[LiveSource, State]:  # noqa: ANN401  # of `reading`
        """Return what `reading` gave, with the session under way."""

    @property
    def reference(self) -> Reference:
        """Instruments and their symbols; each of its methods raises what `opened` does."""
        ...

    @property
    def opened(self) -> OpenDatabase:
        """The database, for what a published data set does not hold; raises NotServed if there is none."""
        ...

    def published(self) -> PublishedSource:
        """Return the current version of what is published; raises PublishedError if nothing is."""
        ...

    def target(self) -> PublishTarget:
        """Return where it is published."""
        ...

    def at(self, version: str) -> Backend:
        """Return what answers from one published version, the current one or another that is kept.

        Raises:
            UsageError: the text names no published version.
        """
        ...

    def of(self, source: Source) -> Backend:
        """Return what answers from a source: this one, or the other one that its settings name.

        Raises:
            UsageError: this server cannot read it, or nothing is published.
        """
        ...

    def prepare_soon(self) -> None:
        """Make ready what `state_soon` needs; it blocks, and raises what `state` does."""
        ...

    async def state_soon(self) -> State | None:
        """Return the present state without blocking the event loop; None if it takes `state` to tell."""
        ...

    def close(self) -> None:
        """Close what is open, of every thread."""
        ...


def backend_of(settings: Settings, source: str) -> Backend:
    """Return what answers from a source: ``database`` or ``published``."""
    return PublishedBackend(settings) if source == "published" else DatabaseBackend(settings)
