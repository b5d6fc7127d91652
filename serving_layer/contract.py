"""The contract of the HTTP interface: what each endpoint may be asked. Pure.

A parameter that is not named here is refused, so that a misspelt one never passes for an answer without it.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from batch_layer.shared.errors import UsageError
from serving_layer.queries.question import LONGEST_ANSWERED, Adjust, Anchor

MOST_SYMBOLS = 1000
"""Symbols in one question; who wants more asks for all of them."""

PAGE = 10_000
LARGEST_PAGE = 100_000
"""Rows per page of JSON, if not said, and at most."""


_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def as_instant(text: str) -> dt.datetime:
    """Return an instant: an ISO date stands for its end in UTC, anything else needs a time zone.

    Raises:
        UsageError: the text is neither.
    """
    try:
        if _ISO_DATE.fullmatch(text):
            date = dt.date.fromisoformat(text)
            return dt.datetime.combine(date, dt.time.max, tzinfo=dt.UTC)
        instant = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"as_of {text!r}: expected a date or an ISO instant, 2024-07-31T21:00:00Z"
        ) from error
    if instant.tzinfo is None:
        raise UsageError(f"as_of {text!r} needs a time zone: an instant, not a local time; append Z for UTC")
    return instant.astimezone(dt.UTC)


def _iso_date(value: object) -> object:
    """Refuse what pydantic would take for a date besides ISO dates: seconds since 1970, instants."""
    if isinstance(value, str) and not _ISO_DATE.fullmatch(value):
        raise ValueError("expected a date: 2024-07-31")
    return value


Session = Annotated[dt.date, BeforeValidator(_iso_date)]


class Common(BaseModel):
    """What every endpoint takes beside its own parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str | None = Field(
        None, description="json, columns, ndjson, csv, arrow or parquet; before Accept."
    )
    columns: str | None = Field(None, description="The columns to give, comma-separated; all if left out.")
    limit: int | None = Field(None, ge=1, le=LARGEST_PAGE, description="Rows per page.")
    cursor: str | None = Field(None, description="Where the next page begins, as the page before it says.")


class OfSymbols(Common):
    """Questions about some symbols, or all."""

    symbol: list[str] = Field(
        default_factory=list, max_length=MOST_SYMBOLS, description="A symbol, exactly; may be repeated."
    )
    symbols: str | None = Field(None, description="Several symbols, comma-separated; the short form.")

    def all_symbols(self) -> list[str] | None:
        """Return the symbols asked for; None for all."""
        named = [*self.symbol, *(self.symbols or "").split(",")]
        return [each for each in dict.fromkeys(named) if each] or None


class BarsQuery(OfSymbols):
    """Bars of n sessions, as `condvest.bars` gives them."""

    interval: int = Field(13, ge=1, le=LONGEST_ANSWERED, description="Sessions per bar; 1 gives daily bars.")
    start: Session | None = Field(None, description="First last_session, inclusive.")
    end: Session | None = Field(None, description="Last last_session, inclusive.")
    last: int | None = Field(None, ge=1, description="Only the newest N bars per symbol.")
    adjust: Adjust = Field("splits", description="none, splits or total.")
    anchor: Anchor = Field("calendar", description="calendar or listing.")
    include_open: bool = Field(default=False, description="Give bars whose window has not ended, too.")
    as_of: str | None = Field(None, description="As known then: a date (its end, UTC) or an ISO instant.")


class InstrumentsQuery(Common):
    """Instruments with what is known about each."""

    search: str | None = Field(None, description="Part of the symbol or the name; case does not count.")
    active: bool | None = Field(None, description="Only listed ones, or only delisted ones.")
    as_of: str | None = Field(None, description="As known then: a date (its end, UTC) or an ISO instant.")


class SymbolsQuery(OfSymbols):
    """Which instrument carried a symbol from when to when."""

    on: Session | None = Field(None, description="Only those that were carried on this date.")


class ActionsQuery(OfSymbols):
    """Splits or dividends."""

    start: Session | None = Field(None, description="First ex-date, inclusive.")
    end: Session | None = Field(None, description="Last ex-date, inclusive.")
    as_of: str | None = Field(None, description="As known then: a date (its end, UTC) or an ISO instant.")


class SessionsQuery(Common):
    """Sessions of the exchange."""

    start: Session | None = Field(None, description="First session, inclusive.")
    end: Session | None = Field(None, description="Last session, inclusive.")


class GapsQuery(OfSymbols):
    """Sessions that instruments lack between their first and last daily bar."""


class QualityQuery(OfSymbols):
    """What looks wrong in the series of daily bars."""


class HistoryQuery(Common):
    """Every state that the daily bars of a symbol were known in."""

    symbol: str = Field(description="The symbol, exactly.")
    session: Session | None = Field(None, description="Only of this session.")


class RefusedQuery(Common):
    """Rows that broke a rule, with the reason and the row itself."""


class RunsQuery(Common):
    """Runs of commands, the newest first."""

    command: str | None = Field(None, description="Only commands that begin with this text.")


class NothingElse(BaseModel):
    """An endpoint without parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Source = Literal["database", "published"]
