"""The protocol that answers known requests without making a task of them; every other goes uvicorn's way."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from condvest.serving_layer.http.calls import Call
from condvest.serving_layer.http.direct import BYTES, LONGEST, Direct, FileAnswer, Known, KnownFile
from condvest.serving_layer.http.published.zero_copy import send_at_once, send_file


class AtOnceProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen at run time
    """Looks whether the bytes that came are those of a request that came before; see `Direct`.

    They are only if they begin a request and are one: nothing of another one came before them, and no answer
    is under way. With h11, which tells none of this, no request is known.
    """

    patience: float
    """Seconds in which a client has to take something of its answer."""

    _direct: Direct | None = None
    _is_between = True
    _ended = 0
    _is_asking = False
    _is_last = False
    _later = b""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  # as asyncio has it
        """Begin."""
        super().connection_made(transport)
        self._direct = getattr(self.config.app, "direct", None)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._is_between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that it is whole."""
        self._is_between = True
        self._ended += 1
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Answer a known request; hand everything else on to `take`."""
        if self._is_asking:  # it comes before its turn
            self._later += data
            self.flow.pause_reading()
            return
        direct = self._direct
        known = direct.find(data) if direct is not None and len(data) <= LONGEST else None
        if direct is None or known is None or not self._may_answer():
            self.take(data)
        elif isinstance(known, Known):
            self._ask(direct, known, data)
        else:
            self._send(direct, known, data)

    def take(self, data: bytes) -> None:
        """Let a request be read and answered; remember the bytes of what is one and came whole."""
        is_alone, ended = self._is_between and self._is_idle(), self._ended
        super().data_received(data)
        is_one = is_alone and self._is_between and self._ended == ended + 1
        # An upgrade to a websocket begins no answer here.
        is_answered = is_one and len(data) <= LONGEST and not self._is_idle()
        # What is kept has a body, and the answer to a HEAD has none.
        if is_answered and self.cycle.keep_alive and self.scope["method"] == "GET":
            self.scope[BYTES] = data

    def shutdown(self) -> None:
        """Close the connection, after the answer that is under way."""
        if self._is_asking:
            self._is_last = True
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _may_answer(self) -> bool:
        most = self.config.limit_concurrency
        is_too_many = most is not None and max(len(self.connections), len(self.tasks)) >= most
        return self._is_between and self._is_idle() and not self.flow.write_paused and not is_too_many

    def _ask(self, direct: Direct, known: Known, data: bytes) -> None:
        """Ask for the version of the data, and answer when it comes."""
        self._unset_keepalive_if_required()
        call = direct.call()
        self._is_asking = True
        direct.ask(known, lambda version: self._answer(direct, known, call, data, version))

    def _answer(self, direct: Direct, known: Known, call: Call, data: bytes, version: str | None) -> None:
        """Send the answer of a version; let the request be read if there is none."""
        self._is_asking = False
        if self.transport.is_closing():
            return
        pieces = None
        if version is not None:
            pieces = direct.answer(known, call, version, self.server_state.default_headers)
        if pieces is None:
            self.take(data)
        else:
            self.transport.writelines(pieces)
            self.server_state.total_requests += 1
            self.answered()
        self._go_on()

    def _send(self, direct: Direct, known: KnownFile, data: bytes) -> None:
        """Send the file of a known request; let the request be read if it is not to be sent as before."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        answer = direct.open(known, direct.call(), self.server_state.default_headers)
        if answer is None:
            self.take(data)
            return
        self._is_asking = True
        self.server_state.total_requests += 1
        done = send_at_once(self.transport, answer.head, answer.file, answer.part)
        if done == len(answer.part):
            self._end(answer)
            return
        task = self.loop.create_task(self._send_rest(answer, done))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _send_rest(self, answer: FileAnswer, done: int) -> None:
        """Send what the client has not taken at once."""
        first, count = answer.part.first + done, len(answer.part) - done
        try:
            if not await send_file(self.transport, answer.file, first, count, self.patience):
                self.transport.abort()  # the length that was promised tells the client
        finally:
            self._end(answer)

    def _end(self, answer: FileAnswer) -> None:
        answer.end()
        self._is_asking = False
        self.answered()
        if not self.transport.is_closing():
            self._go_on()

    def _go_on(self) -> None:
        """Take what came meanwhile; end the connection if it is to end."""
        if self._is_last:
            super().shutdown()
        elif self._later:
            later, self._later = self._later, b""
            self.flow.resume_reading()
            self.data_received(later)

    def answered(self) -> None:
        """Note that an answer was sent."""
