"""Ask a vendor and archive what it answers, as long as there is time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from condvest.batch_layer.fetching.lambda_functions.observing import Call
from condvest.batch_layer.shared.clients.archive import Archive
from condvest.batch_layer.shared.errors import VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.instruments.providers import Answers, Failed, Unavailable


@dataclass
class Archived:
    """What came of asking, as it came.

    Attributes:
        keys: of what the archive holds now; the key of an earlier answer if the same bytes came again.
        unavailable: sessions that the vendor does not have yet, with its reason.
        left: sessions, symbols or steps that there was no time for.
        failed: what could not be had while the rest could.
    """

    keys: list[str] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def answer(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"archived": self.keys, "unavailable": self.unavailable, "left": self.left}

    def insist(self) -> None:
        """Raise for what failed, now that the rest is archived.

        Raises:
            VendorUnavailable: asking again may help for some of it.
            VendorRefused: it will not help.
        """
        if self.failed:
            kind = VendorUnavailable if any(failure.may_pass for failure in self.failed) else VendorRefused
            reasons = "; ".join(str(failure.error) for failure in self.failed)
            raise kind(f"{len(self.failed)} could not be fetched, the others were archived: {reasons}")


def archive_all(
    call: Call,
    archive: Archive,
    answers: Answers,
    archived: Archived,
    noted: list[Payload] | None = None,
) -> bool:
    """Archive each answer as it comes; the next one is not asked for if there is no time for it.

    Returns whether there was time for all; False too where the last answer came as the time was up.

    Args:
        call: the present call.
        archive: where to.
        answers: of a vendor.
        archived: takes what became of them.
        noted: takes the payloads too, if given.

    Raises:
        CondvestError: of the vendor or the archive; what came before is kept, and logged.
    """
    for answer in answers:
        if isinstance(answer, Unavailable):
            archived.unavailable[answer.session.isoformat()] = answer.reason
        elif isinstance(answer, Failed):
            archived.failed.append(answer)
            call.log.warning("failed", origin=answer.name, reason=str(answer.error))
        else:
            payload = answer.payload
            key = archive.keep(payload)
            archived.keys.append(key)
            if noted is not None:
                noted.append(payload)
            call.log.info("archived", key=key, origin=payload.name, bytes=len(payload.content))
            call.measure(SessionsArchived=int(payload.dataset in ("daily_bars", "chart")))
        if not call.deadline.has_time():
            return False
    return True


def sessions_left(archived: Archived, sessions: Iterable[dt.date]) -> list[str]:
    """Return which of the sessions asked for did not come; they are asked for again by the next schedule."""
    came = {key.split("/")[2] for key in archived.keys} | set(archived.unavailable)
    return sorted({session.isoformat() for session in sessions} - came)


def note_left(call: Call, archived: Archived, left: Iterable[str]) -> None:
    """Note what did not come, and say so."""
    archived.left = list(left)
    call.measure(SessionsLeft=len(archived.left))
    if archived.left:
        call.log.warning("out of time: some are left", left=archived.left)
