"""The contract of the HTTP interface: what each endpoint may be asked. Pure.

A parameter that is not named here is refused, so that a misspelt one never passes for an answer without it.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from condvest.serving_layer.formats import FORMATS
from condvest.serving_layer.queries.bars.question import LONGEST_ANSWERED, Adjust, Anchor

MOST_SYMBOLS = 1000
"""Symbols in one question; who wants more asks for all of them."""

PAGE = 10_000
LARGEST_PAGE = 100_000
"""Rows per page of JSON, if not said, and at most."""


_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _iso_date(value: object) -> object:
    """Refuse what pydantic would take for a date besides ISO dates: seconds since 1970, instants."""
    if isinstance(value, str) and not _ISO_DATE.fullmatch(value):
        raise ValueError("expected a date: 2024-07-31")
    return value


Source = Literal["database", "published"]
"""What answers come from."""

Session = Annotated[dt.date, BeforeValidator(_iso_date)]


class Formatted(BaseModel):
    """What every question takes whose answer is rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str | None = Field(
        None,
        description="Before Accept; JSON in rows if neither says.",
        json_schema_extra={"enum": [*FORMATS]},
    )


class SqlQuery(Formatted):
    """What stands beside an SQL statement."""


class Common(Formatted):
    """What every endpoint takes beside its own parameters."""

    columns: str | None = Field(None, description="The columns to give, comma-separated; all if left out.")
    limit: int | None = Field(None, ge=1, le=LARGEST_PAGE, description="Rows per page.")
    cursor: str | None = Field(None, description="Where the next page begins, as the page before it says.")
    version: str | None = Field(
        None, description="A published version that is kept, such as p-0123abcd-42; the answer never changes."
    )

    source: Source | None = Field(
        None, description="database or published; what the server was started with if left out."
    )

    @property
    def is_live(self) -> bool:
        """Whether the session under way is asked for, too."""
        return False

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.version is not None and self.source == "database":
            raise ValueError("source: only published versions are kept; leave out version, or source")
        return self


class Named(BaseModel):
    """Names some symbols, or none for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbol: list[str] = Field(default_factory=list, description="A symbol, exactly; may be repeated.")
    symbols: str | None = Field(None, description="Several symbols, comma-separated; the short form.")

    @model_validator(mode="after")
    def _check_symbols(self) -> Self:
        if self.symbols is not None and not all(self.symbols.split(",")):
            raise ValueError(
                "symbols: a name between the commas is empty; leave symbols out to ask for the whole market"
            )
        count = len(self.all_symbols() or ())
        if count > MOST_SYMBOLS:
            raise ValueError(
                f"symbols: {count} of them; ask for at most {MOST_SYMBOLS} at once, or leave them out to ask "
                "for all"
            )
        return self

    def all_symbols(self) -> list[str] | None:
        """Return the symbols asked for; None for all."""
        several = [] if self.symbols is None else self.symbols.split(",")
        return list(dict.fromkeys([*self.symbol, *several])) or None


class OfSymbols(Named, Common):
    """Questions about some symbols, or all."""


SYMBOLS_ON = "A symbol stands for who carried it on this date; for its last carrier if left out."


class BarsQuery(OfSymbols):
    """Bars of n sessions, as `condvest.bars` gives them."""

    interval: int = Field(13, ge=1, le=LONGEST_ANSWERED, description="Sessions per bar; 1 gives daily bars.")
    start: Session | None = Field(None, description="First last_session, inclusive.")
    end: Session | None = Field(None, description="Last last_session, inclusive.")
    last: int | None = Field(None, ge=1, description="Only the newest N bars per instrument.")
    adjust: Adjust = Field("splits", description="none, splits or total.")
    anchor: Anchor = Field("calendar", description="calendar or listing.")
    include_open: bool = Field(default=False, description="Give bars whose window has not ended, too.")
    as_of: str | None = Field(None, description="As known then: a date (its end, UTC) or an ISO instant.")
    unique_symbols: bool = Field(
        default=False, description="Name instruments whose symbol passed to another by label: X#12."
    )
    symbols_on: Session | None = Field(None, description=SYMBOLS_ON)
    live: bool = Field(
        default=False, description="Give the bars that hold the session under way, too; see docs/live.md."
    )

    @property
    def is_live(self) -> bool:
        """Whether the session under way is asked for, too."""
        return self.live

    @model_validator(mode="after")
    def _check_live(self) -> Self:
        if self.live and self.version is not None:
            raise ValueError(
                "live: a version that is kept has no session under way; leave out one of the two"
            )
        if self.live and self.as_of is not None:
            raise ValueError("live: the session under way is known as of now only; leave out as_of")
        return self


class InstrumentsQuery(OfSymbols):
    """Instruments with what is known about each."""

    symbols_on: Session | None = Field(None, description=SYMBOLS_ON)
    search: str | None = Field(None, description="Part of the symbol or the name; case does not count.")
    active: bool | None = Field(None, description="Only listed ones, or only delisted ones.")
    type: str | None = Field(None, description="Only of this type, such as CS or ETF, exactly.")
    exchange: str | None = Field(None, description="Only of this primary exchange, such as XNYS, exactly.")
    as_of: str | None = Field(None, description="As known then: a date (its end, UTC) or an ISO instant.")


class SymbolsQuery(OfSymbols):
    """Which instrument carried a symbol from when to when."""

    instrument_id: int | None = Field(None, ge=1, le=2**31 - 1, description="Only of this instrument.")
    on: Session | None = Field(None, description="Only those that were carried on this date.")


class ActionsQuery(OfSymbols):
    """Splits or dividends."""

    start: Session | None = Field(None, description="First ex-date, inclusive.")
    end: Session | None = Field(None, description="Last ex-date, inclusive.")
    as_of: str | None = Field(None, description="As known then: a date (its end, UTC) or an ISO instant.")


class UniverseQuery(Common):
    """Instruments whose daily bars begin on or before a date, and end on or after it."""

    on: Session = Field(description="The date.")
    as_of: str | None = Field(None, description="As known then: a date (its end, UTC) or an ISO instant.")


class SessionsQuery(Common):
    """Sessions of the exchange."""

    start: Session | None = Field(None, description="First session, inclusive.")
    end: Session | None = Field(None, description="Last session, inclusive.")
    provider: str | None = Field(
        None, description="Say in `status` whether each is complete, partial or missing from this provider."
    )


class ScreenQuery(Common):
    """The newest bar of each instrument beside its own past."""

    interval: int = Field(1, ge=1, le=LONGEST_ANSWERED, description="Sessions per bar.")
    on: Session | None = Field(None, description="In the newest window that had ended by then.")
    min_close: float | None = Field(None, allow_inf_nan=False, description="Least close, inclusive.")
    min_volume: float | None = Field(None, allow_inf_nan=False, description="Least volume, inclusive.")
    sort: str = Field("symbol", description="The column to sort by, -column to sort downwards.")


class DatasetsQuery(BaseModel):
    """Which published version the files are of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str | None = Field(
        None,
        description="A published version that is kept, such as p-0123abcd-42; the current one if left out.",
    )


class StateQuery(BaseModel):
    """Which state the data are in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source | None = Field(
        None, description="database or published; what the server was started with if left out."
    )
