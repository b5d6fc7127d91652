"""What the endpoints may be asked that report on the data. Pure."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from condvest.serving_layer.contract import Common, Named, OfSymbols, Session
from condvest.serving_layer.queries.reports.coverage import By


class CoverageQuery(OfSymbols):
    """How many sessions have been loaded, by provider and period; or of symbols, by symbol and period."""

    by: By = Field("month", description="What a row stands for.")
    provider: str | None = Field(None, description="Only of this provider.")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if self.provider is not None and self.all_symbols() is not None:
            raise ValueError(
                "provider: the daily bars of symbols are counted whoever gave them; leave out one"
            )
        return self


class GapsQuery(OfSymbols):
    """Sessions that instruments lack between their first and last daily bar."""


class QualityQuery(OfSymbols):
    """What looks wrong in the series of daily bars."""


class HistoryQuery(Common):
    """Every state that the daily bars of a symbol were known in."""

    symbol: str = Field(description="The symbol, exactly, or a label such as X#12.")
    session: Session | None = Field(None, description="Only of this session.")


class RefusedQuery(Common):
    """Rows that broke a rule, with the reason and the row itself."""

    load_id: int | None = Field(None, ge=1, le=2**31 - 1, description="Only of this load.")


class RunsQuery(Common):
    """Runs of commands, the newest first."""

    command: str | None = Field(None, description="Only commands that begin with this text.")


class AlertsQuery(OfSymbols):
    """What alert rules said of running bars, and the verdicts, the newest first."""

    rule: str | None = Field(None, description="Only of the rule of this name.")
    source: Literal["database"] | None = Field(None, description="database: they are never published.")


class EventsQuery(Named):
    """What happens from now on, or from an event on: a stream."""

    after: int | None = Field(None, ge=0, lt=2**63, description="Begin after this event; 0 for the first.")
    rule: str | None = Field(None, description="Only of the rule of this name.")
    ticks: bool = Field(default=True, description="Say when the session under way is known further, too.")


class ReadyQuery(BaseModel):
    """Whether the data can be reached, and follow the market."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_behind: int | None = Field(
        None, ge=0, description="Not ready if a provider is more closed sessions behind."
    )
