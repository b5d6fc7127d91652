"""One symbol's bars, daily or stored, which most questions want, by one statement that says what it saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from condvest.batch_layer.database.postgres.prepared import Row, Statement
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.queries.bars.answering import Answer
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.stored_bars import answer_of_snapshot, asking_of_snapshot

_LARGEST = 64 << 10
"""Bytes of what was loaded from whom in the last states that were read."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What answers a question by one statement, over whatever connection.

    Attributes:
        statement: to ask.
        read: returns the answer that its row tells, given the schema that the database had when it was
            opened, and the state that it is of. None if it takes more than one statement, or nobody has read
            yet what was loaded in this state.
    """

    statement: Statement
    read: Callable[[Row, int | None], tuple[Answer, State] | None]


class StoredAnswers:
    """Answers questions about one database. Its methods may be called from several threads at once.

    The statement does not tell what was loaded from whom. That is a part of the state, so whoever read it in
    a state has read it for every question about the same one.
    """

    def __init__(self, named: Callable[[str, int], State]) -> None:
        """Answer, with states that ``named`` gives of a snapshot and of the last load in it."""
        self._named = named
        self._through: Kept[Mapping[str, str]] = Kept(_LARGEST)

    def know(self, state: State) -> None:
        """Keep what was loaded in a state that was read."""
        self._through.put(state.version, state.loaded_through, len(state.loaded_through) << 7)

    def known(self, state: State) -> Mapping[str, str] | None:
        """Return what was loaded in a state; None if nobody has read it."""
        return self._through.find(state.version)

    def asking(self, sessions: Sessions, question: Question) -> Asking | None:
        """Return what answers a question; None if it takes more than one statement.

        Args:
            sessions: the calendar as it was read last; if it has changed since, the answer is None.
            question: about one symbol.
        """
        statement = asking_of_snapshot(sessions, question)
        if statement is None:
            return None

        def read(row: Row, schema: int | None) -> tuple[Answer, State] | None:
            answered = answer_of_snapshot(row, schema, sessions, question)
            if answered is None:
                return None
            answer, snapshot = answered
            state = self._named(*snapshot)
            through = self.known(state)
            return None if through is None else (answer, replace(state, loaded_through=through))

        return Asking(statement, read)
