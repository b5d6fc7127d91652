"""Settings to the archive and the calendar."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from condvest.batch_layer.fetching.lambda_functions.observing import Call
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from condvest.batch_layer.shared.errors import NotASession
from condvest.batch_layer.shared.models.calendar_changes import with_decisions
from condvest.batch_layer.shared.settings import Settings

LABEL = "correlation-id"
"""What the archive keeps a call's correlation id as, from the fetch to the load."""


def read_settings() -> Settings:
    """Return the settings of the environment; on Lambda only the scratch directory can be written to."""
    settings = Settings.from_env(os.environ)
    if os.environ.get("CONDVEST_HOME"):
        return settings
    return replace(settings, home=Path(tempfile.gettempdir()) / "condvest")


def archive_of(settings: Settings, call: Call) -> S3Archive:
    """Return the archive; what is kept in it is labelled with the call's correlation id.

    Raises:
        SettingsError: CONDVEST_ARCHIVE names no place in S3: a function has no disk of its own.
    """
    return S3Archive.of(str(settings.archive), aws.client("s3"), {LABEL: call.correlation_id})


@dataclass(frozen=True)
class Closed:
    """The sessions that the exchange has closed by an instant, of the years asked for.

    Attributes:
        dates: ascending.
    """

    dates: tuple[dt.date, ...]

    @classmethod
    def by(cls, instant: dt.datetime, first: dt.date, decisions: Mapping[dt.date, bool]) -> Closed:
        """Return those from the year of ``first`` on, with a person's decisions on disputed dates."""
        from condvest.batch_layer.shared.utils.calendar import exchange_sessions  # noqa: PLC0415  # pandas takes time

        calendar = with_decisions(exchange_sessions(first.year, instant.year), decisions)
        closed = calendar.closes_at <= np.datetime64(instant.astimezone(dt.UTC).replace(tzinfo=None), "s")
        return cls(tuple(calendar.date[closed].tolist()))

    def checked(self, wanted: Sequence[dt.date]) -> list[dt.date]:
        """Return the sessions wanted, ascending, each once.

        Raises:
            NotASession: one is none, or has not closed yet.
        """
        wrong = sorted(set(wanted) - set(self.dates))
        if wrong:
            raise NotASession(f"{', '.join(map(str, wrong))}: no session of the exchange that has closed")
        return sorted(set(wanted))

    def between(self, start: dt.date, end: dt.date) -> list[dt.date]:
        """Return the sessions from ``start`` to ``end``, both inclusive.

        Raises:
            NotASession: there is none.
        """
        dates = [date for date in self.dates if start <= date <= end]
        if not dates:
            raise NotASession(f"no session of the exchange from {start} to {end} has closed")
        return dates
