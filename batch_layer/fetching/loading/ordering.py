"""Which instants loads have, so that the archive orders payloads as they were loaded. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from condvest.batch_layer.database.stores.loading.loads import Instants
from condvest.batch_layer.shared.clients.archive import order_instant_of
from condvest.batch_layer.shared.models.given.payloads import Payload

MOST_OVERTAKEN = dt.timedelta(hours=1)
"""A payload fetched longer than this before the last load was not overtaken by it: a clock was wrong."""

_NEXT = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class LastLoad:
    """What a load leaves for the order of the next one; all aware.

    Attributes:
        fetched_at: when its payload was fetched.
        known_from: when what it says was known.
        order_instant: the instant that gives its payload's place in the archive.
        newest: the latest place of all payloads that were loaded by then.
    """

    fetched_at: dt.datetime
    known_from: dt.datetime
    order_instant: dt.datetime
    newest: dt.datetime

    @classmethod
    def of(cls, last: Instants | None) -> LastLoad | None:
        """Return what the database holds of its last load.

        An earlier version ordered by the instants of fetch alone: the latest of them may not be the last.
        """
        if last is None:
            return None
        order_instant = order_instant_of(last.archive_key) or last.fetched_at
        return cls(last.fetched_at, last.loaded_at, order_instant, max(order_instant, last.newest))

    @classmethod
    def then(cls, payload: Payload, known_from: dt.datetime, last: LastLoad | None) -> LastLoad:
        """Return what the load of a payload leaves."""
        newest = max(payload.order_instant, last.newest) if last else payload.order_instant
        return cls(payload.fetched_at, known_from, payload.order_instant, newest)


def placed_after(payload: Payload, last: LastLoad | None) -> Payload:
    """Return a new payload with a place behind that of all that was loaded.

    Two processes may load in another order than they fetched, and files read in the same instant come in
    any order: such a payload gets an instant of fetch behind that of the last load. If it seems to have been
    fetched longer than `MOST_OVERTAKEN` before, a clock was wrong, then or now: it keeps its instant of
    fetch, by which its sessions are judged, and gets a place apart from it. Later payloads keep that
    distance, so that those of which no load is recorded have places that ascend, too.
    """
    if last is None:
        return payload
    if dt.timedelta(0) <= last.fetched_at - payload.fetched_at <= MOST_OVERTAKEN:
        payload = replace(payload, fetched_at=last.fetched_at + _NEXT)
    order_instant = payload.fetched_at + max(last.order_instant - last.fetched_at, dt.timedelta(0))
    order_instant = max(order_instant, last.newest + _NEXT)
    return payload if order_instant == payload.fetched_at else replace(payload, ordered_at=order_instant)


def known_from(payload: Payload, last: LastLoad | None) -> dt.datetime:
    """Return when what an archived payload says was known: at its fetch, but not before the load before it.

    Where its place is not its instant of fetch, the load before it may have a wrong clock's: its own counts.
    """
    if last is None or payload.ordered_at is not None:
        return payload.fetched_at
    return max(payload.fetched_at, last.known_from)
