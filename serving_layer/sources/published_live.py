"""A published data set with the session under way, as ``live.parquet`` beside it has it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.models.bars import DailyBars, Int32s
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.published.live import LIVE, LiveFile, from_parquet
from condvest.batch_layer.shared.published.manifest import Manifest
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.sources.keeping.kept_daily import kept_daily
from condvest.serving_layer.sources.live import LiveSource
from condvest.serving_layer.sources.published import PublishedSource

NO_ROWS = "none"
"""The digest where nobody has written live rows."""

_ROW = 64
_LARGEST = 8 << 20

_files: Kept[LiveFile] = Kept(_LARGEST)
"""What was decoded, by the digest of its bytes."""


def live_digest(source: PublishedSource) -> str:
    """Return a digest of the live rows beside a published data set: others have another one.

    Raises:
        PublishedError, PublishedUnavailable: they cannot be read.
    """
    return _digest(source.beside(LIVE))


def with_live(source: PublishedSource) -> tuple[LiveSource, str]:
    """Return a version with the live rows that count beside it, and their digest.

    Raises:
        PublishedError: they cannot be read, or are of another database or calendar than the version.
        PublishedFormat: another version of Condvest wrote them.
        PublishedUnavailable: the target does not answer.
    """
    content = source.beside(LIVE)
    digest = _digest(content)
    if content is None:
        nothing = _empty()
        return LiveSource(source, lambda _: nothing, source.daily), digest
    file = _files.get(digest, lambda: from_parquet(content, source.name), lambda made: _ROW * len(made.bars))
    _check(file, source.manifest, source.sessions, source.name)
    return LiveSource(source, _reader(file.bars), _keeping(source)), digest


def _digest(content: bytes | None) -> str:
    return NO_ROWS if content is None else hashlib.sha256(content).hexdigest()[:16]


def _reader(live: LiveBars) -> Callable[[Int32s | None], LiveBars]:
    return lambda ids: live if ids is None else live.take(np.isin(live.instrument_id, ids))


def _keeping(source: PublishedSource) -> Callable[[Spans], DailyBars]:
    version = f"{source.name} {source.version}"
    return lambda spans: kept_daily(source.daily, source.instruments, version, spans)


def _check(file: LiveFile, manifest: Manifest, sessions: Sessions, name: str) -> None:
    """Refuse rows whose numbers mean something else here: another instrument, another session."""
    if file.database != manifest.database:
        raise PublishedError(
            f"{LIVE} in {name} is of the database {file.database}, and version {manifest.version} of "
            f"{manifest.database}: let the collector that runs beside the latter publish there, or remove it"
        )
    ordinals, first = np.unique(file.bars.ordinal, return_index=True)
    for ordinal, date in zip(ordinals.tolist(), file.session[first].tolist(), strict=True):
        is_known = sessions.first_ordinal <= ordinal <= sessions.last_ordinal
        if not is_known or sessions.session(ordinal) != date:
            raise PublishedError(
                f"{LIVE} in {name} has rows of {date}, which is another session of the calendar of version "
                f"{manifest.version}: run condvest publish"
            )


def _empty() -> LiveBars:
    whole, part = np.zeros(0, np.int32), np.zeros(0, np.float64)
    return LiveBars(whole, whole, part, part, part, part, part, part, np.zeros(0, np.int64))
