"""The function that fetches daily bars: vendor to archive. It runs outside the VPC and knows no database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from condvest.batch_layer.fetching import policy
from condvest.batch_layer.fetching.lambda_functions import vendors
from condvest.batch_layer.fetching.lambda_functions.archiving import (
    Archived,
    archive_all,
    note_left,
    sessions_left,
)
from condvest.batch_layer.fetching.lambda_functions.deadline import LambdaContext
from condvest.batch_layer.fetching.lambda_functions.events import (
    FetchEvent,
    RangeEvent,
    ScheduleEvent,
    SessionsEvent,
    fetch_event,
)
from condvest.batch_layer.fetching.lambda_functions.observing import logged, observed
from condvest.batch_layer.fetching.lambda_functions.wiring import Closed, archive_of, read_settings
from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.instruments.providers import SymbolProvider
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.clock import utc_now


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:  # noqa: ANN401  # whatever came
    """Fetch the sessions that the event asks for, newest first, and archive the answers.

    Returns:
        ``archived``: keys of the archive; ``unavailable``: sessions that the vendor does not have yet, with
        its reason; ``left``: sessions (of Yahoo: symbols) that there was no time for; ``correlation_id``.

    Raises:
        CondvestError: of the event, the settings, the vendor or the archive. What was archived stays.
    """
    with observed("daily_ohlcv_fetcher", context) as call:
        asked = fetch_event(event)
        if asked.correlation_id:
            call.correlate(asked.correlation_id)
        settings = read_settings()
        archive = archive_of(settings, call)
        sessions = _sessions(asked, settings, archive)
        archived = Archived()
        symbols = () if isinstance(asked, ScheduleEvent) else asked.symbols
        with vendors.provider(settings, call, symbols) as provider:
            came: list[Payload] = []
            archive_all(call, archive, provider.fetch(sessions), archived, came)
            if isinstance(provider, SymbolProvider):
                left = _symbols_left(provider.symbols, came, archived)
            else:
                left = sessions_left(archived, sessions)
        note_left(call, archived, left)
        archived.insist()
        return logged(call, "fetched", archived.answer())


def _symbols_left(asked: Sequence[str], came: Sequence[Payload], archived: Archived) -> list[str]:
    """Return which symbols were neither archived nor failed, in the order in which they were asked for."""
    names = [payload.name for payload in came] + [payload.name for payload in archived.failed]
    answered = {name.rpartition("/")[2] for name in names}
    return [symbol for symbol in asked if symbol not in answered]


def _sessions(asked: FetchEvent, settings: Settings, archive: S3Archive) -> list[dt.date]:
    """Return the sessions to fetch, newest first: those count most if the time does not suffice."""
    instant, decisions = utc_now(), dict(settings.disputed_sessions)
    if isinstance(asked, SessionsEvent):
        return Closed.by(instant, min(asked.sessions), decisions).checked(asked.sessions)[::-1]
    if isinstance(asked, RangeEvent):
        return Closed.by(instant, asked.start, decisions).between(asked.start, asked.end)[::-1]
    newest = Closed.by(instant, instant.date() - dt.timedelta(days=60), decisions).dates
    return policy.sessions_on_aws(
        newest, lambda session: _is_held(archive, settings, session), settings.nightly.ask_again
    )


def _is_held(archive: S3Archive, settings: Settings, session: dt.date) -> bool:
    return any(archive.keys_below(f"{settings.nightly.provider}/daily_bars/{session}/"))
