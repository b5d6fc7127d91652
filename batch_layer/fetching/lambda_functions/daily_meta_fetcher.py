"""The function that fetches metadata: who is listed, renames, splits, dividends. Vendor to archive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from batch_layer.fetching.lambda_functions import vendors
from batch_layer.fetching.lambda_functions.archiving import Archived, archive_all
from batch_layer.fetching.lambda_functions.deadline import LambdaContext
from batch_layer.fetching.lambda_functions.events import FetchEvent, RangeEvent, SessionsEvent, fetch_event
from batch_layer.fetching.lambda_functions.observing import logged, observed
from batch_layer.fetching.lambda_functions.renaming import to_ask_about
from batch_layer.fetching.lambda_functions.wiring import archive_of, now, read_settings
from batch_layer.shared.models.payloads import Payload

OVERLAP = dt.timedelta(days=30)
"""Splits and dividends are asked for again from this long ago on, for late corrections."""


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:  # noqa: ANN401  # whatever came
    """Fetch splits and dividends since the event's first date, who is listed, and renames; archive them.

    The vendor gives actions from an ex-date on: the end of a range is not heeded. Renames are asked for of
    those whose symbol is new to the reference; of the event's symbols also the details.

    Returns:
        ``archived``: keys of the archive; ``left``: what there was no time for; ``correlation_id``.

    Raises:
        BatchLayerError: of the event, the settings, the vendor or the archive. What was archived stays.
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
            # The actions first: they are small, and without a split the bars of tomorrow are wrong.
            steps: dict[str, Callable[[], Iterable[Payload]]] = {
                "actions": lambda: provider.corporate_actions(_since(asked)),
                "reference": lambda: _noted(provider.reference(), references),
                "details": lambda: provider.details(symbols),
                "renames": lambda: provider.renames(
                    [one for reference in references for one in to_ask_about(archive, reference)]
                ),
            }
            for name, answers in steps.items():
                if call.deadline.has_time():
                    archive_all(call, archive, answers(), archived)
                else:
                    archived.left.append(name)
        return logged(call, "fetched", archived.answer())


def _noted(answers: Iterable[Payload], noted: list[Payload]) -> Iterator[Payload]:
    for answer in answers:
        noted.append(answer)
        yield answer


def _since(asked: FetchEvent) -> dt.date:
    if isinstance(asked, RangeEvent):
        return asked.start
    if isinstance(asked, SessionsEvent):
        return min(asked.sessions)
    return now().date() - OVERLAP
