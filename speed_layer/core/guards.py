"""Whether a snapshot may be used at all; pure.

It is refused as a whole, and the one before goes on counting, if it is of another date, older than what is
known, or of a part of the market only.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.speed_layer.core.phases import SECOND
from condvest.speed_layer.core.state import NEVER

LEAST_SHARE = 0.8
"""A snapshot of a lower share of the tickers expected is cut short: listings come and go by a few."""

LEAST_TICKERS = 20
"""Below it one company more or less is a large share, so nothing is said."""

LARGEST_LEAD = 120 * SECOND
"""By how much a vendor's clock may be ahead of ours."""


UNSURE = 60 * SECOND
"""By how much a row of a snapshot may lag behind its latest one."""


@dataclass(frozen=True)
class Seen:
    """What matters of a snapshot.

    Attributes:
        through: the latest instant of its data, microseconds; NEVER if it names none.
        tickers: how many it has.
        with_bar: how many of them have a bar of the regular session.
    """

    through: int
    tickers: int
    with_bar: int


@dataclass(frozen=True)
class Refusal:
    """Why a snapshot was refused, ``future``, ``other_session``, ``stale`` or ``partial``, and a sentence."""

    code: str
    reason: str


def refusal(new: Seen, last: Seen | None, expected: int, session: dt.date, received: int) -> Refusal | None:
    """Return why a snapshot may not be used; None if it may.

    Args:
        new: the snapshot.
        last: the last that was used in this session, None if none was.
        expected: tickers that the first one should have at least about: the bars of the last session.
        session: the date of the session.
        received: when the snapshot came, microseconds.
    """
    if new.through == NEVER:
        return Refusal("other_session", f"expected data of {session}, got a snapshot that names no instant")
    if new.through > received + LARGEST_LEAD:
        return Refusal(
            "future",
            f"the vendor's data are of {_instant(new.through)}, but this machine's clock says "
            f"{_instant(received)}: set the clock, for phases and delays depend on it",
        )
    date = dt.datetime.fromtimestamp(new.through / SECOND, EXCHANGE_ZONE).date()
    if date != session:
        return Refusal(
            "other_session",
            f"expected data of {session}, got data of {date}: either no trade has come yet, or this "
            "machine's clock is wrong",
        )
    if last is not None and new.through < last.through:
        return Refusal(
            "stale", f"expected data after {_instant(last.through)}, got data of {_instant(new.through)}"
        )
    return _partial(new, last, expected)


def _partial(new: Seen, last: Seen | None, expected: int) -> Refusal | None:
    counts = [("tickers", new.tickers, last.tickers if last else expected)]
    if last is not None:
        counts.append(("tickers with a bar", new.with_bar, last.with_bar))
    for what, count, before in counts:
        if before >= LEAST_TICKERS and count < LEAST_SHARE * before:
            return Refusal("partial", f"expected about {before:,} {what}, got {count:,}: an answer cut short")
    return None


def _instant(microseconds: int) -> str:
    return dt.datetime.fromtimestamp(microseconds / SECOND, dt.UTC).isoformat(timespec="seconds")
