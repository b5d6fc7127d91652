"""One version for the published data sets that a caller asks for one after the other.

A publication may come between two calls, and prices of one version with splits of another are wrong. So calls
for different data sets belong to one round, which has one version. Asking again for a data set that the round
has given begins the next round, with the newest version: a process that reads the same data sets every
morning has those of the morning, all of one version.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.opening import open_published

if TYPE_CHECKING:
    from condvest.serving_layer.sources.published import PublishedSource


@dataclass(frozen=True)
class _Round:
    """A version, and what has been given of it.

    Attributes:
        settings: where it is published.
        source: the version.
        given: the data sets that the caller has asked for.
    """

    settings: Settings
    source: PublishedSource
    given: frozenset[str]


# Of a context: threads and tasks that read different versions do not share a round.
_round: ContextVar[_Round | None] = ContextVar("_round", default=None)


def files_of(dataset: str, settings: Settings) -> list[str]:
    """Return the files of a data set, of the version of the caller's round.

    Raises:
        PublishedError, PublishedUnavailable: nothing is published there, it cannot be read, or the version of
            the round is gone.
        UsageError: there is no such data set.
    """
    source, before = open_published(settings), _round.get()
    given: frozenset[str] = frozenset()
    if before is not None and before.settings == settings and dataset not in before.given:
        if before.source.manifest != source.manifest and not before.source.is_kept():
            _round.set(None)
            raise PublishedError(
                f"version {before.source.manifest.version}, of which {', '.join(sorted(before.given))} was "
                f"given before, is no longer kept. Ask for all data sets again, or use condvest.published(), "
                "which gives the files of all of them at once"
            )
        source, given = before.source, before.given
    files = source.files(dataset)
    _round.set(_Round(settings, source, given | {dataset}))
    return files
