"""What stands beside the bars: instruments, splits, dividends, sessions, and who was listed on a date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from condvest.any_source import asking_server, of_any_source
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
    skipping,
)
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.opening import open_published
from condvest.serving_layer.queries.actions import DIVIDENDS, SPLITS, read_dividends, read_splits
from condvest.serving_layer.queries.sessions_table import sessions_table
from condvest.serving_layer.queries.universe import read_universe
from condvest.serving_layer.sources import BarSource

if TYPE_CHECKING:
    from condvest.batch_layer.database.opening import OpenDatabase

Read = Callable[[BarSource, Sequence[str] | None, dt.date | None, dt.date | None], pa.Table]


def instruments(
    *,
    active: bool | None = None,
    as_of: Instant | None = None,
    source: From = "database",
    settings: Settings | None = None,
) -> pa.Table:
    """Return the instruments by symbol, one row each, with what is known about it.

    Args:
        active: only listed ones if True, only delisted ones if False, whatever is known if None.
        as_of: what was known then; see `bars`. Who was listed on a date: `universe`.
        source: ``"database"``, ``"published"`` or the address of a server; see `bars`.
        settings: where the database and the published data set are; from the environment if None.

    Returns:
        A table with the columns instrument_id (int32), symbol (string, that it carries now, or carried last),
        active (bool, null where no reference says), first_session and last_session (date32, of its daily
        bars, null if it has none); and null where unknown: name, type, exchange, currency, cik, figi,
        share_class_figi (string), list_date, delisted_date (date32), sic_code, sic_description (string),
        market_cap (float64, in the currency), shares_outstanding and weighted_shares_outstanding (float64).

    Raises:
        UsageError: an argument has a value that it cannot have, or the source does not hold this.
        CondvestError: the source cannot be opened or read.
    """
    known = as_known(as_of)

    def from_database(opened: OpenDatabase) -> pa.Table:
        # Imported here: reading published files needs no module of the database.
        from condvest.serving_layer.queries.instruments import read_instruments  # noqa: PLC0415

        opened.refresh_sessions()  # who keeps the database open may do so for months
        return read_instruments(opened, active=active, as_of=known)

    def from_published(where: Settings) -> pa.Table:
        from condvest.serving_layer.queries.published_instruments import published_instruments  # noqa: PLC0415  # as above

        return published_instruments(open_published(where), known, active=active)

    return answered(
        source,
        settings,
        database=from_database,
        published=from_published,
        server=asking_server("instruments", {"active": active, "as_of": known}),
    )


def splits(
    symbols: Symbols | None = None,
    start: Session | None = None,
    end: Session | None = None,
    *,
    as_of: Instant | None = None,
    source: From = "database",
    settings: Settings | None = None,
    missing: Missing = "raise",
) -> pa.Table:
    """Return the splits by symbol and ex-date.

    Args:
        symbols: of these; of all instruments with bars if None.
        start: first ex-date, inclusive; None for no bound.
        end: last ex-date, inclusive; None for no bound.
        as_of: what was known then; see `bars`.
        source: ``"database"``, ``"published"`` or the address of a server; see `bars`.
        settings: where the database and the published data set are; from the environment if None.
        missing: what becomes of unknown symbols; see `bars`.

    Returns:
        A table with the columns symbol (string; where a symbol has passed to another instrument, the former
        one has a label, the symbol and its id: ``X#12``), ex_date (date32), split_from and split_to
        (float64, old and new shares), price_factor and volume_factor (float64): what brings a price or a
        volume from before this split to the basis of the last loaded session, all later splits included.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
        UsageError: an argument has a value that it cannot have, or the source does not hold this.
        CondvestError: the source cannot be opened or read.
    """
    return _actions("splits", read_splits, SPLITS, symbols, start, end, as_of, source, settings, missing)


def dividends(
    symbols: Symbols | None = None,
    start: Session | None = None,
    end: Session | None = None,
    *,
    as_of: Instant | None = None,
    source: From = "database",
    settings: Settings | None = None,
    missing: Missing = "raise",
) -> pa.Table:
    """Return the cash dividends by symbol and ex-date; arguments and errors are those of `splits`.

    Returns:
        A table with the columns symbol (string, as in `splits`), ex_date (date32) and cash_amount (float64,
        quote currency per share as of the ex-date).
    """
    return _actions(
        "dividends", read_dividends, DIVIDENDS, symbols, start, end, as_of, source, settings, missing
    )


def sessions(
    start: Session | None = None,
    end: Session | None = None,
    *,
    source: From = "database",
    settings: Settings | None = None,
) -> pa.Table:
    """Return the exchange's sessions, ascending: those of the past and, for a year or more, those to come.

    Args:
        start: first session, inclusive; None for no bound.
        end: last session, inclusive; None for no bound.
        source: ``"database"``, ``"published"`` or the address of a server; see `bars`.
        settings: where the database and the published data set are; from the environment if None.

    Returns:
        A table with the columns ordinal (int32, 0 on 1962-01-02; a bar's window is ordinal // interval),
        session (date32), opens_at and closes_at (timestamp in seconds, UTC), early_close (bool).

    Raises:
        UsageError: an argument has a value that it cannot have.
        CondvestError: the source cannot be opened or read.
    """
    first, last = as_bounds(start, end)
    return of_any_source(
        "sessions",
        {"start": first, "end": last},
        lambda reader: sessions_table(reader.sessions, first, last),
        source,
        settings,
    )


def universe(
    date: Session,
    *,
    as_of: Instant | None = None,
    source: From = "database",
    settings: Settings | None = None,
) -> pa.Table:
    """Return the instruments whose daily bars begin on or before a date and end on or after it, by symbol.

    So those that were delisted later are among them, and those that were listed later are not: a backtest
    that takes its symbols from here does not choose survivors. Whoever did not trade any more after the date,
    in a halt that ended in a delisting, is not among them.

    Args:
        date: the date; one that is no session stands for the last session before it.
        as_of: what was known then; see `bars`.
        source: ``"database"``, ``"published"`` or the address of a server; see `bars`.
        settings: where the database and the published data set are; from the environment if None.

    Returns:
        A table with the columns symbol (string, that it carries now, or carried last; where the symbol has
        passed to another instrument, a label: ``X#12``; `bars` takes both), instrument_id (int32),
        first_session and last_session (date32, of its daily bars).

    Raises:
        UsageError: the date lies outside the sessions of the daily bars, or is none.
        CondvestError: the source cannot be opened or read.
    """
    on, known = as_date("date", date), as_known(as_of)
    if on is None:
        raise UsageError("date None: expected a date such as 2024-07-31")
    return of_any_source(
        "universe",
        {"on": on, "as_of": known},
        lambda reader: read_universe(reader, on),
        source,
        settings,
        as_of=known,
    )


def _actions(
    name: str,
    read: Read,
    schema: pa.Schema,
    symbols: Symbols | None,
    start: Session | None,
    end: Session | None,
    as_of: Instant | None,
    source: From,
    settings: Settings | None,
    missing: Missing,
) -> pa.Table:
    wanted, known = as_symbols(symbols), as_known(as_of)
    first, last = as_bounds(start, end)

    def ask(asked: list[str] | None) -> pa.Table:
        if asked is not None and not asked:
            return schema.empty_table()  # over HTTP no symbol stands for all of them
        return of_any_source(
            name,
            {"start": first, "end": last, "as_of": known},
            lambda reader: read(reader, asked, first, last),
            source,
            settings,
            as_of=known,
            symbols=asked or (),
        )

    return skipping(missing, wanted, ask)
