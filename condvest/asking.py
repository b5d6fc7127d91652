"""What every question from Python has in common: how its arguments are read, and where it is answered."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.errors import DatabaseUnavailable, UnknownSymbol, UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.kept import borrowed
from condvest.pool import lent
from condvest.serving_layer.queries.bars.question import as_instant, check_bounds

if TYPE_CHECKING:
    from condvest.batch_layer.database.opening import OpenDatabase

T = TypeVar("T")

Session = dt.date | np.datetime64 | str
"""A date (or a timestamp at its midnight), or its ISO text."""

Instant = dt.datetime | dt.date | str
"""An aware datetime or its ISO text; a date, or its text, stands for its end in UTC."""

Symbols = str | Iterable[str]
"""One symbol or several: a list, an Arrow or NumPy array, a pandas Series or Index."""

_VARIABLES = ("CONDVEST_", "MASSIVE_", "POLYGON_", "XDG_", "HOME")
"""What the names of all variables begin with that settings are read from."""

LOCAL = ("database", "published")
"""Sources that need no server."""

Missing = Literal["raise", "skip"]
"""What becomes of symbols that nobody carries or carried."""

From = str
"""Where an answer is read from: ``database``, ``published``, or the address of a server."""


def answered(
    source: From,
    settings: Settings | None,
    *,
    database: Callable[[OpenDatabase], T],
    published: Callable[[Settings], T],
    server: Callable[[str, str | None], T],
) -> T:
    """Answer a question from a source.

    Args:
        source: where to read.
        settings: where the database and the published data set are; from the environment if None.
        database: answers from the open database; asked once more if the connection was lost meanwhile.
        published: answers from the published data set of the settings.
        server: answers from the server of an address and a key (None if there is none).

    Raises:
        UsageError: there is no such source.
        CondvestError: the source cannot be opened, or what answers raises.
    """
    if source.startswith(("http://", "https://")):
        return server(source, os.environ.get("CONDVEST_API_KEY"))
    if source not in LOCAL:
        raise UsageError(f"source {source!r}: choose database, published or http://host:port")
    settings = settings or present_settings()
    if source == "published":
        return published(settings)
    with borrowed(settings) as shared:
        if shared is not None:
            return _asked(shared, database)
    with lent(settings) as opened:
        return _asked(opened, database)


def _asked(opened: OpenDatabase, ask: Callable[[OpenDatabase], T]) -> T:
    """Ask an open database, and once more if the line turns out to be cut, or the server restarts."""
    try:
        return ask(opened)
    except DatabaseUnavailable:
        return ask(opened)  # nothing has been given yet


def skipping(missing: Missing, symbols: list[str] | None, read: Callable[[list[str] | None], T]) -> T:
    """Answer a question about symbols; with ``skip`` once more, without those that are unknown.

    Raises:
        UnknownSymbol: a symbol is unknown, and ``missing`` is ``raise``; or a server does not say which.
        UsageError: ``missing`` is neither of the two.
    """
    if missing not in get_args(Missing):
        raise UsageError(f"missing {missing!r}: choose one of {', '.join(get_args(Missing))}")
    try:
        return read(symbols)
    except UnknownSymbol as error:
        if missing == "raise" or symbols is None or not error.symbols:
            raise
        unknown = set(error.symbols)
        return read([symbol for symbol in symbols if symbol not in unknown])


def present_settings() -> Settings:
    """Return the settings of the environment as it is now; raises what `Settings.from_env` does.

    They are read again only if a variable has changed, or the working directory: it takes a tenth of a call.
    """
    given = tuple((name, os.environ[name]) for name in os.environ if name.startswith(_VARIABLES))
    try:
        directory = os.getcwd()  # noqa: PTH109  # at each call
    except FileNotFoundError:
        directory = ""
    return _settings_of(given, directory)


@lru_cache(maxsize=4)
def _settings_of(_given: tuple[tuple[str, str], ...], _directory: str) -> Settings:
    return Settings.from_env(os.environ)


def as_symbols(given: Symbols | None) -> list[str] | None:
    """Return the symbols of an argument as a list; None for all of them.

    Raises:
        UsageError: one of them is no text, such as a missing value.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return [given]
    several: Iterable[object] = given if isinstance(given, Iterable) else [given]
    several = given.to_pylist() if isinstance(given, pa.Array | pa.ChunkedArray) else list(several)
    for symbol in several:
        if not isinstance(symbol, str):
            raise UsageError(f"symbols: expected texts such as 'AAPL', got {symbol!r}")
    return [str(symbol) for symbol in several]  # an np.str_ is no str to the driver


def as_date(name: str, given: Session | None) -> dt.date | None:
    """Return the date of an argument, which may be a datetime or a timestamp at midnight.

    Raises:
        UsageError: it is none, or has a time or a time zone.
    """
    if given is None:
        return None
    refused = UsageError(f"{name} {given!r}: expected a date such as 2024-07-31")
    if isinstance(given, np.datetime64):
        given = given.astype("datetime64[us]").item()  # in ns it would be an integer
    if isinstance(given, str):
        try:
            date = dt.date.fromisoformat(given)
        except ValueError:
            raise refused from None
        if date.isoformat() != given:  # 20240731, 2024-W31-3
            raise refused
        return date
    if isinstance(given, dt.datetime):
        # A timestamp that is missing (NaT) has neither, and is unlike itself.
        if given != given or given.tzinfo is not None or given.time() != dt.time():  # noqa: PLR0124
            raise refused
        return given.date()
    if not isinstance(given, dt.date):
        raise refused
    return given


def as_bounds(start: Session | None, end: Session | None) -> tuple[dt.date | None, dt.date | None]:
    """Return the dates of two bounds; raises UsageError as `as_date`, or if they are the wrong way round."""
    first, last = as_date("start", start), as_date("end", end)
    check_bounds(first, last)
    return first, last


def as_known(given: Instant | None) -> dt.datetime | None:
    """Return the instant of ``as_of``; raises UsageError if it is none, or has no time zone."""
    if given is None or isinstance(given, dt.datetime):
        if given is not None and given.tzinfo is None:
            raise UsageError(f"as_of {given} needs a time zone: an instant, not a local time")
        return given
    if isinstance(given, str | dt.date):
        return as_instant(given if isinstance(given, str) else given.isoformat())
    raise UsageError(f"as_of {given!r}: expected an aware datetime, or text such as 2024-07-31T21:00:00Z")
