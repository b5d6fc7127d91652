"""One symbol's stored bars, which most questions want, by a single statement that says what state it saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.serving_layer.http.states import State
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.queries.bars import Answer
from condvest.serving_layer.queries.question import Question
from condvest.serving_layer.queries.stored_bars import answer_of_snapshot

_LARGEST = 64 << 10
"""Bytes of what was loaded from whom in the last states that were read."""


class StoredAnswers:
    """Answers questions about one database. Its methods may be called from several threads at once.

    The statement does not tell what was loaded from whom. That is a part of the state, so whoever read it in
    a state has read it for every question about the same one.
    """

    def __init__(self) -> None:
        self._through: Kept[Mapping[str, str]] = Kept(_LARGEST)

    def know(self, state: State) -> None:
        """Keep what was loaded in a state that was read."""
        self._through.put(state.version, state.loaded_through, len(state.loaded_through) << 7)

    def answer(
        self, opened: OpenDatabase, question: Question, named: Callable[[str, int], State]
    ) -> tuple[Answer, State] | None:
        """Return the answer to a question, and the state that it is of.

        Args:
            opened: the database of this thread.
            question: about one symbol.
            named: returns the state of a snapshot and of the last load in it.

        Returns:
            None if it takes more than one statement, or nobody has read yet what was loaded in this state.
        """
        answered = answer_of_snapshot(opened.database, opened.sessions, question)
        if answered is None:
            return None
        answer, snapshot = answered
        state = named(*snapshot)
        through = self._through.find(state.version)
        return None if through is None else (answer, replace(state, loaded_through=through))
