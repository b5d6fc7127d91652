"""What of a stored calendar may change, and who decides where libraries disagree. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.errors import CalendarChanged, CalendarDisputed
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE, Dates, Sessions
from condvest.batch_layer.shared.utils.calendar import LIBRARY, SECOND_LIBRARY, Calendar

SETTING = "CONDVEST_DISPUTED_SESSIONS"
"""The setting by which a person decides whether a date is a session."""

_USUAL_HOURS = (dt.time(9, 30), dt.time(16))


def with_decisions(calendar: Calendar, decisions: Mapping[dt.date, bool]) -> Calendar:
    """Return the calendar with a person's decisions in it: dates that are sessions, and dates that are not.

    Decisions on other years than the calendar's are left out. A session that the library does not know gets
    today's usual hours, 9:30 to 16:00 in New York.
    """
    first, last = (date.year for date in calendar.date[[0, -1]].tolist())
    within = {date: is_held for date, is_held in decisions.items() if first <= date.year <= last}
    if not within:
        return calendar
    decided = np.array(list(within), dtype="datetime64[D]")
    is_session = np.array(list(within.values()), dtype=bool)
    kept = ~np.isin(calendar.date, decided[~is_session])
    added = np.setdiff1d(decided[is_session], calendar.date)
    opens_at, closes_at = (_instants(added, hour) for hour in _USUAL_HOURS)
    usual = np.zeros(len(added), dtype=bool)
    columns = [
        np.concatenate([ours[kept], theirs])
        for ours, theirs in zip(calendar, (added, opens_at, closes_at, usual, usual), strict=True)
    ]
    order = np.argsort(columns[0])
    return Calendar(*(column[order] for column in columns))


def check_past(stored: Sessions, fresh: Sessions, last_fixed: int, stored_by: str, now_by: str) -> None:
    """Make sure that ``fresh`` can take the place of ``stored`` and no ordinal of the past moves.

    What has not come to pass may still change (a day of mourning is declared). What has, never does, for
    ordinals anchor the windows. Sessions may come before the first one stored: ordinals count from
    1962-01-02, so none moves. Hours may change everywhere; no window depends on them.

    Args:
        stored: the sessions as they are kept; not empty.
        fresh: the calendar as the library gives it now, from the first session stored or before.
        last_fixed: ordinal of the last session that may not change any more.
        stored_by: the library and version that the stored sessions came from, for the message.
        now_by: the library and version that gave ``fresh``, for the message.

    Raises:
        CalendarChanged: a session up to ``last_fixed`` is missing or new in ``fresh``; the message names
            each.
    """
    past = stored.date[: max(last_fixed - stored.first_ordinal + 1, 0)]
    if not len(past):
        return
    within = fresh.date[(fresh.date >= past[0]) & (fresh.date <= past[-1])]
    gone, new = np.setdiff1d(past, within), np.setdiff1d(within, past)
    if len(gone) or len(new):
        raise CalendarChanged(_changed(gone, new, stored_by, now_by))


def check_agreement(
    ours: Dates, theirs: Dates, decisions: Mapping[dt.date, bool], our_name: str, their_name: str
) -> None:
    """Make sure that two libraries hold the same dates for sessions, but where a person has decided.

    Args:
        ours: datetime64[D], ascending, of the library that decides.
        theirs: the same span by the second library.
        decisions: dates that need no agreement.
        our_name: the first library and its version, for the message.
        their_name: the second library and its version, for the message.

    Raises:
        CalendarDisputed: they differ; the message names each date, and who takes it for a session.
    """
    decided = np.array(list(decisions), dtype="datetime64[D]")
    only_ours, only_theirs = (
        np.setdiff1d(np.setdiff1d(mine, other), decided) for mine, other in ((ours, theirs), (theirs, ours))
    )
    if not len(only_ours) and not len(only_theirs):
        return
    parts = [
        f"{_named(dates)} {'is a session' if len(dates) == 1 else 'are sessions'} by {who} and not by {other}"
        for dates, who, other in (
            (only_ours, our_name, their_name),
            (only_theirs, their_name, our_name),
        )
        if len(dates)
    ]
    example = np.concatenate([only_ours, only_theirs])[0]
    raise CalendarDisputed(
        f"{'; '.join(parts)}. Every later ordinal, and so every later window, depends on the answer; nothing "
        f"was changed. Upgrade the library that is behind ({LIBRARY} or {SECOND_LIBRARY}), or look it up at "
        f"the exchange and decide: {SETTING}={example}=closed (or {example}=held)"
    )


def _instants(dates: Dates, hour: dt.time) -> Dates:
    """Return the instants (datetime64[s], UTC) of a wall-clock hour in New York on each date."""
    local = [dt.datetime.combine(date, hour, EXCHANGE_ZONE) for date in dates.tolist()]
    return np.array(
        [instant.astimezone(dt.UTC).replace(tzinfo=None) for instant in local], dtype="datetime64[s]"
    )


def _changed(gone: Dates, new: Dates, stored_by: str, now_by: str) -> str:
    parts = []
    if len(gone):
        parts.append(f"no longer has {_named(gone)}")
    if len(new):
        parts.append(f"now has {_named(new)}")
    decisions = [
        f"{date}={word}" for dates, word in ((gone, "held"), (new, "closed")) for date in dates.tolist()
    ]
    then = f"Install what the stored sessions came from: {stored_by}"
    if stored_by == now_by:
        then = f"{now_by} agreed with the stored sessions before, so look for what changed beside it"
    return (
        f"{now_by} {' and '.join(parts)}, which would renumber every session since and move every window; "
        f"nothing was changed. {then}; or keep the stored sessions by {SETTING}={','.join(decisions)}; or, "
        "to take the new calendar, rebuild into an empty database"
    )


def _named(dates: npt.NDArray[np.datetime64], most: int = 10) -> str:
    listed = ", ".join(str(date) for date in dates[:most])
    return listed if len(dates) <= most else f"{listed} and {len(dates) - most} more"
