"""The messages that carry running bars to other machines; pure.

``condvest.live.bar.SYMBOL`` holds the live row of a symbol as it is now, ``condvest.live.head`` how far the
collector has got. A row is a state, not an event: the newest of a subject says all that the ones before it
said. So only the newest of each is kept, and who was away misses nothing but what has been overtaken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Self
from urllib.parse import unquote

import orjson

SUBJECTS = "condvest.live.>"
HEAD = "condvest.live.head"
_BAR = "condvest.live.bar."
_SPECIAL = re.compile(r"[^A-Za-z0-9_=^#-]")

Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A message: its subject, its bytes, and the id by which the server knows it again; none if empty."""

    subject: str
    content: bytes
    message_id: str


def subject_of(symbol: str) -> str:
    """Return the subject of a symbol; what no subject may hold is written as in a URL: ``BRK%2EB``."""
    return _BAR + _SPECIAL.sub(lambda match: f"%{ord(match[0]):02X}", symbol)


def symbol_of(subject: str) -> str:
    """Return the symbol of a subject; undoes `subject_of`."""
    return unquote(subject.removeprefix(_BAR))


@dataclass(eq=False)
class Outgoing:
    """What readers have been given, and so what they have to be given; one row a symbol, whatever happens."""

    _sent: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def after(cls, kept: Mapping[str, bytes]) -> Self:
        """Return what goes on from what a server keeps, by subject, whoever gave it that.

        A collector that was killed cannot say what it gave, and a row of it may be over meanwhile.
        """
        rows = [orjson.loads(content) for subject, content in kept.items() if subject.startswith(_BAR)]
        return cls({row["symbol"]: row for row in rows if not row.get("is_over")})

    def due(self, rows: Sequence[Row], head: Mapping[str, Any]) -> list[Message]:
        """Return the messages that make what readers know what is known now, the head's at the end.

        Args:
            rows: the live rows, each with ``symbol``.
            head: of the newest run; ``run_id`` and ``ticks`` name the state.
        """
        now = {row["symbol"]: row for row in rows}
        state = f"{head['run_id']}-{head['ticks']}"
        changed = [row for symbol, row in now.items() if self._sent.get(symbol) != row]
        gone = [{"symbol": symbol, "is_over": True} for symbol in self._sent if symbol not in now]
        messages = [_of_row(row, state) for row in [*changed, *gone]]
        # Gaps open and heal within one tick: a head that the server knew again would tell of an earlier one.
        return [*messages, Message(HEAD, orjson.dumps(head), "")]

    def sent(self, rows: Sequence[Row]) -> None:
        """Remember that readers have been given rows."""
        self._sent = {row["symbol"]: row for row in rows}


def _of_row(row: Row, state: str) -> Message:
    """Return the message of a row. Between ticks a row may be over: so what it says is in the id, too."""
    content = orjson.dumps(row)
    digest = blake2b(content, digest_size=8).hexdigest()
    return Message(subject_of(row["symbol"]), content, f"{state}-{row['symbol']}-{digest}")


@dataclass(eq=False)
class Incoming:
    """What a reader knows.

    Attributes:
        head: how far the collector has got; None before that is known.
        rows: the live rows, by symbol.
    """

    head: Row | None = None
    rows: dict[str, Row] = field(default_factory=dict)

    def take(self, subject: str, content: bytes) -> Row | None:
        """Take a message; return the row if it is news, None if it is none.

        What is older than what is known is none: a reader never goes back, neither to an earlier session nor,
        within one, to earlier data.
        """
        said: Row = orjson.loads(content)
        if subject == HEAD:
            if self.head is None or said["run_id"] >= self.head["run_id"]:
                self.head = said
            return None
        symbol = symbol_of(subject)
        if said.get("is_over"):
            self.rows.pop(symbol, None)
            return said
        before = self.rows.get(symbol)
        if before is not None and _age(said) < _age(before):
            return None
        self.rows[symbol] = said
        return said if said != before else None

    @property
    def is_whole(self) -> bool:
        """Whether all that the collector knows is known here, and it knows all: no gap is open."""
        return self.head is not None and not self.head["open_gaps"] and self.head["state"] != "stale"


def _age(row: Row) -> tuple[str, str]:
    return row["session"], row["data_through"]
