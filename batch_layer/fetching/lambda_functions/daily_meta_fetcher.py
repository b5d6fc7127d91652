"""The function that fetches metadata: who is listed, renames, splits, dividends. Vendor to archive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from condvest.batch_layer.fetching import policy
from condvest.batch_layer.fetching.lambda_functions import vendors
from condvest.batch_layer.fetching.lambda_functions.archiving import Archived, archive_all, note_left
from condvest.batch_layer.fetching.lambda_functions.deadline import LambdaContext
from condvest.batch_layer.fetching.lambda_functions.events import (
    FetchEvent,
    RangeEvent,
    SessionsEvent,
    fetch_event,
)
from condvest.batch_layer.fetching.lambda_functions.observing import logged, observed
from condvest.batch_layer.fetching.lambda_functions.renaming import to_ask_about
from condvest.batch_layer.fetching.lambda_functions.wiring import archive_of, read_settings
from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.instruments.providers import (
    ActionsProvider,
    Answers,
    Provider,
    ReferenceProvider,
)
from condvest.batch_layer.shared.utils.clock import utc_now


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:  # noqa: ANN401  # whatever came
    """Fetch splits and dividends since the event's first date, who is listed, and renames; archive them.

    The vendor gives actions from an ex-date on: the end of a range is not heeded. Renames are asked for of
    those whose symbol is new to the reference; of the event's symbols also the details.

    Returns:
        ``archived``: keys of the archive; ``left``: the steps that there was no time for, or not for all of;
        ``correlation_id``.

    Raises:
        CondvestError: of the event, the settings, the vendor or the archive. What was archived stays.
    """
    with observed("daily_meta_fetcher", context) as call:
        asked = fetch_event(event)
        if asked.correlation_id:
            call.correlate(asked.correlation_id)
        settings = read_settings()
        archive = archive_of(settings, call)
        archived = Archived()
        symbols = getattr(asked, "symbols", ())
        with vendors.provider(settings, call, symbols) as provider:
            references: list[Payload] = []
            left: list[str] = []
            for name, ask, noted in _steps(provider, _since(asked), symbols, archive, references):
                if not (call.deadline.has_time() and archive_all(call, archive, ask(), archived, noted)):
                    left.append(name)
        note_left(call, archived, left)
        archived.insist()
        return logged(call, "fetched", archived.answer())


def _steps(
    provider: Provider, since: dt.date, symbols: Sequence[str], archive: S3Archive, references: list[Payload]
) -> Iterator[tuple[str, Callable[[], Answers], list[Payload] | None]]:
    """Yield what the provider can be asked for: the step's name, how to ask, and what takes the payloads.

    The actions come first: they are small, and without a split the bars of tomorrow are wrong.
    """
    if isinstance(provider, ActionsProvider):
        yield "actions", lambda: provider.corporate_actions(since), None
    if isinstance(provider, ReferenceProvider):
        yield "reference", provider.reference, references
        yield "details", lambda: provider.details(symbols), None
        yield (
            "renames",
            lambda: provider.renames(
                [figi for reference in references for figi in to_ask_about(archive, reference)]
            ),
            None,
        )


def _since(asked: FetchEvent) -> dt.date:
    if isinstance(asked, RangeEvent):
        return asked.start
    if isinstance(asked, SessionsEvent):
        return min(asked.sessions)
    return utc_now().date() - policy.ACTIONS_OVERLAP
