"""Reading from Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa

from condvest.asking import (
    From,
    Instant,
    Missing,
    Session,
    Symbols,
    answered,
    as_bounds,
    as_date,
    as_known,
    as_symbols,
    present_settings,
    skipping,
)
from condvest.batch_layer.shared.settings import Settings
from condvest.kept import kept_open
from condvest.serving_layer.opening import live_of, open_published, past_of
from condvest.serving_layer.queries.bars.bars_table import read_bars, read_bars_from
from condvest.serving_layer.queries.bars.question import Adjust, Anchor, Question

ADJUSTED = "condvest.adjust"
"""Key in the metadata of a table of bars: what its prices are adjusted for; its columns do not show it."""


def bars(
    symbols: Symbols | None = None,
    interval: int = 13,
    start: Session | None = None,
    end: Session | None = None,
    adjust: Adjust = "splits",
    anchor: Anchor = "calendar",
    include_open: bool = False,  # noqa: FBT001, FBT002  # the last argument of the documented signature
    *,
    as_of: Instant | None = None,
    source: From = "database",
    settings: Settings | None = None,
    unique_symbols: bool = False,
    include_live: bool = False,
    missing: Missing = "raise",
    symbols_on: Session | None = None,
) -> pa.Table:
    """Return bars of n sessions, ascending by symbol and window.

    Args:
        symbols: one symbol or several; all if None. A symbol stands for the instrument that carries it
            now, or carried it last; a label such as ``X#12`` (see ``unique_symbols``) for its instrument.
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
        as_of: an aware datetime or its ISO text, or a date, which stands for its end in UTC: give the data as
            they were known then. Bars, splits, dividends and what was loaded are those of that instant; which
            symbol an instrument carries is what is known now. None for what is known now.
        source: ``"database"``, or ``"published"``: what ``condvest publish`` made of it last, without the
            database; the answer is the same. Or the address of a server (``condvest serve``),
            ``"http://host:8400"``; the key that it may want is taken from ``CONDVEST_API_KEY``.
        settings: where the database and the published data set are; from the environment if None.
        unique_symbols: name an instrument whose symbol has passed to another one by symbol and id: ``X#12``.
            Else both are named ``X``, one after the other, where both are asked for.
        include_live: whether to give the bars that hold the session under way, too, as `condvest live run`
            knows it, and two more columns; see docs/live.md. Needs the database, or a server that reads it.
        missing: ``"raise"`` an error if a symbol is unknown, or ``"skip"`` it.
        symbols_on: let each symbol stand for the instrument that carried it on this date, under its name of
            today; None for its last carrier.

    Returns:
        A table with the columns symbol (string), interval (int16, sessions), window (int32),
        first_session and last_session (date32, of the window, inclusive), open, high, low, close (float64,
        quote currency), volume (float64, shares), vwap (float64, null where unknown), trades (int64, null
        where unknown), sessions (int16, daily bars that went in), is_complete (bool, whether every session of
        the window has been loaded in full). ``polars.from_arrow()`` takes it as it is; for pandas use
        ``to_pandas(date_as_object=False)``, which makes the dates ``datetime64``. With ``include_live`` also
        is_live (bool, whether the bar holds a session that is not loaded yet but under way; it is never
        complete) and data_through (timestamp, UTC: up to when that session is known; null elsewhere).

        Its metadata has what the prices are adjusted for (``condvest.adjust``), so that `condvest.load` takes
        no adjusted prices for prices as traded.

        It equals the full fold of the daily bars in one snapshot: windows that wait to be resampled are
        folded on the way.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol, and ``missing`` is ``"raise"``.
        UsageError: an argument has a value that it cannot have.
        PublishedError, PublishedUnavailable: nothing is published, or it cannot be read.
        CondvestError: the database cannot be opened or read.
    """
    first, last = as_bounds(start, end)
    wanted = as_symbols(symbols)
    question = Question(
        symbols=wanted,
        interval=interval,
        start=first,
        end=last,
        adjust=adjust,
        anchor=anchor,
        include_open=include_open,
        as_of=as_known(as_of),
        unique_symbols=unique_symbols,
        include_live=include_live,
        symbols_on=as_date("symbols_on", symbols_on),
    )
    table = skipping(
        missing, wanted, lambda known: answer(replace(question, symbols=known), source, settings)
    )
    return table.replace_schema_metadata({ADJUSTED: adjust})


def answer(question: Question, source: From, settings: Settings | None) -> pa.Table:
    """Answer a question from the database, the published data or a server; raises what `bars` does."""

    def from_published(where: Settings) -> pa.Table:
        if question.include_live:
            return read_bars_from(live_of(where), question)
        return read_bars_from(past_of(where, question.as_of), question)

    def from_server(address: str, key: str | None) -> pa.Table:
        from condvest.serving_layer.queries.remote import read_bars_over_http  # noqa: PLC0415  # few ask over HTTP

        return read_bars_over_http(address, key, question)

    return answered(
        source,
        settings,
        database=lambda opened: read_bars(opened.database, opened.sessions, question),
        published=from_published,
        server=from_server,
    )


@contextmanager
def connected(settings: Settings | None = None) -> Iterator[None]:
    """Keep one connection for every `bars` of the block, and close it at the block's end.

    `bars` keeps connections open by itself until the interpreter ends; a block says when: at its end nothing
    of it is left, and an embedded server that nobody else uses is stopped. Each call still sees what has been
    stored by then. It holds for the thread that entered the block, for the tasks that run in it, and for the
    same settings; other threads and forked processes have connections of their own. A call that loses the
    connection asks once more, and an embedded server that was stopped is started again, so a service may keep
    the block for as long as it runs.

    Args:
        settings: where the database is; from the environment if None.

    Raises:
        CondvestError: the database cannot be opened.
    """
    with kept_open(settings or present_settings()):
        yield


@dataclass(frozen=True)
class Published:
    """One version of the published data sets; the files of all of them fit together.

    Attributes:
        version: its number, ascending by one from 1.
        published_at: when it was published, an aware datetime.
        first_session: the first session of its daily bars; None without bars.
        last_session: the last one, inclusive; None without bars.
        through_load: the last load (``loads.load_id``) of the database that it holds; None in a version that
            an earlier Condvest published.
        files: data set (``daily_bars``, ``bars_3`` to ``bars_34``, ``instruments``, ``symbols``, ``splits``,
            ``dividends``, ``sessions``; and of what was known when ``daily_bar_revisions``,
            ``split_revisions``, ``dividend_revisions``, ``suppliers``, ``ledger``, ``loads``) to its Parquet
            files by part (a year, or a month), as paths or ``s3://`` URIs.
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
    source = open_published(settings or present_settings())
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
    """Return the files of one published data set; `published` gives those of all at once.

    Calls for different data sets, one after the other in one thread or task, give files of one version, even
    if a publication comes between. Asking again for the same data set begins anew with the newest version.

    Args:
        dataset: ``daily_bars``, ``bars_3`` to ``bars_34``, ``instruments``, ``symbols``, ``splits``,
            ``dividends``, ``sessions``, or another of those that `Published` lists.
        settings: where it is published; from the environment if None.

    Returns:
        Paths, or ``s3://`` URIs, by year or month. They stay while newer versions are published, as many as
        ``condvest publish --keep`` says.

    Raises:
        PublishedError: nothing is published there, it cannot be read, or the version of the calls before is
            no longer kept.
        PublishedUnavailable: the target does not answer.
        UsageError: there is no such data set.
    """
    from condvest.rounds import files_of  # noqa: PLC0415  # of published files alone

    return files_of(dataset, settings or present_settings())
