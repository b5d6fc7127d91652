"""Reading from Python."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

from batch_layer.database.opening import OpenDatabase
from batch_layer.shared.errors import UsageError
from batch_layer.shared.settings import Settings
from serving_layer.opening import open_for_reading, open_published
from serving_layer.queries.bars_table import read_bars, read_bars_from
from serving_layer.queries.question import Adjust, Anchor, Question

Session = dt.date | str
"""A date, or its ISO text."""

From = Literal["database", "published"]
"""Where bars are read from."""

# Of a context and not of the process: threads must not share a connection, which is in one transaction.
_kept: ContextVar[OpenDatabase | None] = ContextVar("_kept", default=None)


def bars(
    symbols: str | Sequence[str] | None = None,
    interval: int = 13,
    start: Session | None = None,
    end: Session | None = None,
    adjust: Adjust = "splits",
    anchor: Anchor = "calendar",
    include_open: bool = False,  # noqa: FBT001, FBT002  # the last argument of the documented signature
    *,
    as_of: dt.datetime | None = None,
    source: From = "database",
    settings: Settings | None = None,
) -> pa.Table:
    """Return bars of n sessions, ascending by symbol and window.

    Args:
        symbols: one symbol or several; all if None. A symbol stands for the instrument that carries it
            now, or carried it last.
        interval: sessions per bar, 1 to 252; 1 gives daily bars. 3, 5, 8, 13, 21 and 34 are stored, the
            others are folded from the daily bars on the way.
        start: first ``last_session`` wanted, inclusive; None for no bound.
        end: last ``last_session`` wanted, inclusive; None for no bound.
        adjust: ``"none"``: prices on the split basis of each window's own end. ``"splits"``: rescaled by
            the splits since, up to the last loaded session. ``"total"``: computed from the daily bars with
            splits and cash dividends in, so that closes make a total-return series; volume as for splits.
        anchor: ``"calendar"``: windows are counted from 1962-01-02, so they are the same for every
            instrument and never move. ``"listing"``: from the instrument's first session.
        include_open: whether to give bars that are not complete, too: open ones, whose window's last session
            has not been loaded, and those that lack another session of their window.
        as_of: an aware datetime: give the data as they were known then. Bars, splits, dividends and what
            was loaded are those of that instant; which symbol an instrument carries is what is known now.
            None for what is known now.
        source: ``"database"``, or ``"published"``: what ``condvest publish`` made of it last, without the
            database; the answer is the same. It has no history, so it cannot be asked ``as_of``.
        settings: where the database and the published data set are; from the environment if None.

    Returns:
        A table with the columns symbol (string), interval (int16, sessions), window (int32),
        first_session and last_session (date32, of the window, inclusive), open, high, low, close (float64,
        quote currency), volume (float64, shares), vwap (float64, null where unknown), trades (int64, null
        where unknown), sessions (int16, daily bars that went in), is_complete (bool, whether every session of
        the window has been loaded in full). ``polars.from_arrow()`` takes it as it is; for pandas use
        ``to_pandas(date_as_object=False)``, which makes the dates ``datetime64``.

        It equals the full fold of the daily bars in one snapshot: windows that wait to be resampled are
        folded on the way.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
        UsageError: an argument has a value that it cannot have.
        PublishedError, PublishedUnavailable: nothing is published, or it cannot be read.
        BatchLayerError: the database cannot be opened or read.
    """
    question = Question(
        symbols=[symbols] if isinstance(symbols, str) else symbols,
        interval=interval,
        start=_date(start),
        end=_date(end),
        adjust=adjust,
        anchor=anchor,
        include_open=include_open,
        as_of=as_of,
    )
    return answer(question, source, settings or Settings.from_env(os.environ))


def answer(question: Question, source: From, settings: Settings) -> pa.Table:
    """Answer a question from the database or from what is published; raises what `bars` does."""
    if source not in get_args(From):
        raise UsageError(f"source {source!r}: choose database or published")
    if source == "published":
        if question.as_of is not None:
            raise UsageError("as_of: a published data set has no history; ask the database for it")
        return read_bars_from(open_published(settings), question)
    kept = _kept.get()
    if kept is not None and kept.settings == settings:
        return read_bars(kept.database, kept.sessions, question)
    with open_for_reading(settings) as opened:
        return read_bars(opened.database, opened.sessions, question)


@contextmanager
def connected(settings: Settings | None = None) -> Iterator[None]:
    """Keep the database open for every `bars` of the block: for whoever reads symbol by symbol.

    Each call still sees what has been stored by then. It holds for the thread (or task) that entered the
    block, and for the same settings; other calls open the database for themselves.

    Args:
        settings: where the database is; from the environment if None.

    Raises:
        BatchLayerError: the database cannot be opened.
    """
    with open_for_reading(settings or Settings.from_env(os.environ)) as opened:
        before = _kept.set(opened)
        try:
            yield
        finally:
            _kept.reset(before)


@dataclass(frozen=True)
class Published:
    """One version of the published data sets; the files of all of them fit together.

    Attributes:
        version: its number, ascending by one from 1.
        published_at: when it was published, an aware datetime.
        first_session, last_session: the sessions that its daily bars cover, inclusive; None without bars.
        through_load: the last load (``loads.load_id``) of the database that it holds; None in a version that
            an earlier Condvest published.
        files: data set (``daily_bars``, ``bars_3`` to ``bars_34``, ``instruments``, ``symbols``, ``splits``,
            ``dividends``, ``sessions``) to its Parquet files by year, as paths or ``s3://`` URIs.
    """

    version: int
    published_at: dt.datetime
    first_session: dt.date | None
    last_session: dt.date | None
    through_load: int | None
    files: Mapping[str, Sequence[str]]


def published(*, settings: Settings | None = None) -> Published:
    """Return the current version of the published data sets, for any reader of Parquet.

    Use one call for all data sets that are joined: between two calls a new version may be published. The
    files of a version stay until ``condvest publish --keep`` newer versions have been published.

    Args:
        settings: where it is published; from the environment if None.

    Raises:
        PublishedError: nothing is published there, or it cannot be read.
        PublishedUnavailable: the target does not answer.
    """
    source = open_published(settings or Settings.from_env(os.environ))
    manifest = source.manifest
    return Published(
        version=manifest.version,
        published_at=manifest.published_at,
        first_session=manifest.first_session,
        last_session=manifest.last_session,
        through_load=manifest.through_load,
        files={dataset: source.files(dataset) for dataset in manifest.files},
    )


def published_files(dataset: str, *, settings: Settings | None = None) -> list[str]:
    """Return the files of one published data set; `published` gives those of all, of one version.

    Args:
        dataset: ``daily_bars``, ``bars_3`` to ``bars_34``, ``instruments``, ``symbols``, ``splits``,
            ``dividends`` or ``sessions``.
        settings: where it is published; from the environment if None.

    Returns:
        Paths, or ``s3://`` URIs, of the current version, by year. They stay while newer versions are
        published, as many as ``condvest publish --keep`` says.

    Raises:
        PublishedError: nothing is published there, or it cannot be read.
        PublishedUnavailable: the target does not answer.
        UsageError: there is no such data set.
    """
    return open_published(settings or Settings.from_env(os.environ)).files(dataset)


def _date(session: Session | None) -> dt.date | None:
    return dt.date.fromisoformat(session) if isinstance(session, str) else session
