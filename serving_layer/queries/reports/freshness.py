"""Whether the database follows the market: how many sessions have closed that it does not hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS
from condvest.batch_layer.shared.models.sessions import Dates, Sessions

MAX_BEHIND = 1
"""The session that has closed last is not loaded before the night's run."""

_ENDED = (0, 3)
"""Exit codes of a run that did its work."""

_LONGEST_RUN = dt.timedelta(days=1)
"""A run that began longer ago and has not ended was killed."""


def closed_sessions(sessions: Sessions, now: dt.datetime) -> Dates:
    """Return the dates (datetime64[D], ascending) of the sessions that the exchange has closed by an instant.

    A database that was left alone for more than a year has a calendar that ends before ``now``: then the
    calendar libraries tell the sessions since. Nothing is stored.
    """
    instant = np.datetime64(now.astimezone(dt.UTC).replace(tzinfo=None), "s")
    dates: Dates = sessions.date[sessions.closes_at <= instant]
    if len(dates) < len(sessions):
        return dates
    # Imported here: the libraries take a second, and a stored calendar reaches a year ahead.
    from condvest.batch_layer.shared.utils.calendar import exchange_sessions  # noqa: PLC0415

    calendar = exchange_sessions(dates[-1].item().year, now.year + 1)
    later = (calendar.date > dates[-1]) & (calendar.closes_at <= instant)
    return np.concatenate([dates, calendar.date[later]])


def behind(provider: str, closed: Dates, through: dt.date) -> int | None:
    """Return how many of the closed sessions lie after a date; None if the provider has no new ones."""
    return int((closed > np.datetime64(through)).sum()) if _goes_on(provider) else None


def not_fresh(
    state: Mapping[str, Any], now: dt.datetime, max_behind: int, providers: Sequence[str] = ()
) -> list[str]:
    """Return why the database does not count as fresh, one sentence each; nothing if it does.

    It does not if nothing that goes on is loaded, a provider is more than ``max_behind`` closed sessions
    behind or has a partial session, a rebuild has not ended, or the last run failed or was killed.

    Args:
        state: as `read_status` gives it.
        now: the instant at which it was read, aware.
        max_behind: closed sessions that a provider may lack.
        providers: those to look at; if none are given, those that can be asked and go on (massive, yahoo), or
            else those of imported files.
    """
    entries = {entry["provider"]: entry for entry in state["providers"]}
    looked_at = list(providers) or _going_on(list(entries))
    reasons = [f"{name}: nothing is loaded" for name in looked_at if name not in entries]
    if not looked_at:
        loaded = f"only {', '.join(entries)}, which ends by itself" if entries else "nothing is loaded"
        reasons.append(
            f"no provider with new sessions is loaded ({loaded}); begin with condvest run --provider NAME"
        )
    for name in looked_at:
        entry = entries.get(name)
        if entry and (entry["behind"] or 0) > max_behind:
            reasons.append(
                f"{name} is {entry['behind']:,} sessions behind: its last is {entry['last']}, the exchange "
                f"closed {state['closed']}; {_remedy(name)}"
            )
        if entry and entry["partial"]:
            reasons.append(f"{name} has {entry['partial']:,} partial sessions; see: condvest gaps")
    if state["rebuild"]:
        began, to_do = state["rebuild"]["began"], state["rebuild"]["to_do"]
        reasons.append(f"the rebuild of {began} has not ended; {to_do}")
    return reasons + _of_last_run(state["last_run"], now)


def _remedy(provider: str) -> str:
    """Return how newer sessions of a provider come in; nobody can ask for those of imported files."""
    if provider in PROVIDERS:
        return f"run: condvest run --provider {provider}"
    return f"load newer files: condvest import FILE{'' if provider == 'file' else f' --provider {provider}'}"


def _going_on(names: Sequence[str]) -> list[str]:
    asked = [name for name in names if name in PROVIDERS and _goes_on(name)]
    return asked or [name for name in names if name not in PROVIDERS]


def _goes_on(provider: str) -> bool:
    return provider not in PROVIDERS or PROVIDERS[provider].goes_on


def _of_last_run(last: Mapping[str, Any] | None, now: dt.datetime) -> list[str]:
    if last is None or last["exit_code"] in _ENDED:
        return []
    named = f"the last run ({last['command']}, {last['started_at']})"
    if last["exit_code"] is not None:
        return [f"{named} ended with exit code {last['exit_code']}; see: condvest runs"]
    if now - dt.datetime.fromisoformat(last["started_at"]) > _LONGEST_RUN:
        return [f"{named} has no end: it was killed; run it again"]
    return []
