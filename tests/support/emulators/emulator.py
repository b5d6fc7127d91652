"""What both emulators share: life, clock, faults, the call log, and the control endpoint.

Under ``/_emulator/`` a test in another process asks and turns (all answers are JSON):

- ``GET /_emulator/health``: ``{"ok": true}``.
- ``GET /_emulator/state`` the knobs; ``POST`` sets those named in a JSON object. ``GET /_emulator/faults``
  names all faults.
- ``GET /_emulator/calls`` counts by endpoint, status and fault; ``POST`` forgets them.
  ``GET /_emulator/log`` the last calls, in order, without keys.
- ``GET /_emulator/truth/sessions``, ``/splits``, ``/dividends``, ``/renames``, ``/instruments``; and
  ``/bars?session=D[&otc=true][&adjusted=true][&source=file]``, ``/revisions?session=D``.
  The truth is final, or with ``now=ISO`` as of an instant, or with ``now=served`` as of the emulator's
  own clock.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Self

from tests.support.emulators.faults import Fault, Reply, compressed, json_reply, spoil
from tests.support.emulators.httpd import Request, Server
from tests.support.emulators.knobs import CallLog, Dice, Knobs
from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market

_SMALLEST_COMPRESSED = 1000
_SECRETS = frozenset({"apikey", "crumb"})


class Refusal(Exception):
    """A request that the vendor refuses, with its answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Emulator:
    """A vendor over HTTP on 127.0.0.1. Use as a context manager, or ``start`` and ``stop``.

    Args:
        market: what is served; None where histories are given instead.
        port: 0 picks a free one.
        fault_seed: the same seed draws the same faults.
        delay: seconds that SLOW_DRIP takes.
        knobs: any field of Knobs.
    """

    def __init__(
        self, market: Market | None, *, port: int = 0, fault_seed: int = 0, delay: float = 1.0, **knobs
    ) -> None:
        self.market = market
        self.knobs = Knobs()
        self.knobs.update(knobs)
        self.log = CallLog()
        self._dice = Dice(self.knobs, fault_seed)
        self._server = Server(self._answer, port, delay)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def calls(self) -> dict[str, int]:
        """How many calls came, by endpoint; a call that failed on purpose counts too."""
        return dict(self.log.by_endpoint)

    def now(self) -> dt.datetime:
        """Return the instant on the vendor's clock."""
        return self.knobs.now or dt.datetime.now(dt.UTC)

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def stop(self) -> None:
        """Stop serving; raises RuntimeError if the emulator itself failed meanwhile."""
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def match(self, request: Request) -> tuple[str, str]:
        """Return the endpoint's name and its family of faults."""
        raise NotImplementedError

    def admit(self, request: Request, endpoint: str) -> None:
        """Let a request pass, or raise Refusal: key and rate."""

    def serve(self, request: Request, endpoint: str, fault: Fault | None) -> Reply:
        """Return the vendor's honest answer; make OTHER_SESSION and HALF_MARKET of a session here."""
        raise NotImplementedError

    def act(self, _what: str, _values: dict) -> Reply | None:
        """Do what a test in another process asks for under ``/_emulator/``; None if that is nothing."""
        return None

    def spoilt(self, reply: Reply, fault: Fault) -> Reply:
        """Return a reply as a fault makes it. The other host is this server by another name."""
        elsewhere = f"http://localhost:{self._server.port}/_emulator/elsewhere"
        return spoil(reply, fault, self._dice.rng, elsewhere)

    def _answer(self, request: Request) -> Reply:
        if request.path.startswith("/_emulator/"):
            return self._control(request)
        fault = None
        endpoint, family = self.match(request)
        try:
            self.admit(request, endpoint)
            fault = self._dice.draw(family)
            reply = self.serve(request, endpoint, fault)
        except Refusal as refusal:
            reply = refusal.reply
        else:
            accepts = "gzip" in request.headers.get("accept-encoding", "")
            if accepts and family != "file" and self.knobs.compress and not self._is_plain(reply, fault):
                reply = compressed(reply)
        if fault:
            reply = self.spoilt(reply, fault)
        self.log.add(endpoint, _target(request), reply.status, fault)
        return reply

    @staticmethod
    def _is_plain(reply: Reply, fault: Fault | None) -> bool:
        """Tell an answer that must not be compressed: too small, or its text is about to be spoilt."""
        text_faults = {Fault.RESULTS_MISSING, Fault.GZIP_LIE, Fault.TRUNCATED_TEXT}
        return len(reply.body) < _SMALLEST_COMPRESSED or fault in text_faults

    def _control(self, request: Request) -> Reply:
        what = request.path.removeprefix("/_emulator/")
        if what == "elsewhere":
            self.log.led_astray(
                with_key="authorization" in request.headers or "apikey" in map(str.lower, request.query)
            )
            return json_reply({"status": "OK", "results": []})
        if what.startswith("truth/"):
            return self._truth(what.removeprefix("truth/"), request.query)
        if request.method == "POST":
            return self._turn(what, request.body)
        answers = {
            "health": lambda: {"ok": True},
            "state": self.knobs.as_json,
            "calls": self.log.as_json,
            "log": lambda: list(self.log.recent),
            "faults": lambda: {fault.name: fault.value for fault in Fault},
        }
        return json_reply(answers[what]()) if what in answers else json_reply({"error": "no such page"}, 404)

    def _turn(self, what: str, body: bytes) -> Reply:
        if what == "calls":
            self.log.clear()
            return json_reply({"ok": True})
        try:
            values = json.loads(body)
            if what != "state":
                return self.act(what, values) or json_reply({"error": "no such page"}, 404)
            self.knobs.update(values)
        except ValueError as error:
            return json_reply({"error": str(error)}, 400)
        return json_reply(self.knobs.as_json())

    def _truth(self, what: str, query: dict[str, str]) -> Reply:
        asked = query.get("now")
        now = self.now() if asked == "served" else dt.datetime.fromisoformat(asked) if asked else None
        market = self.market
        if market is None:
            return json_reply({"error": "this emulator serves no synthetic market"}, 404)
        if what == "sessions":
            return json_reply([session.isoformat() for session in market.sessions()])
        if what == "revisions":
            return json_reply(market.revisions_of(dt.date.fromisoformat(query["session"])))
        if what == "bars":
            session = dt.date.fromisoformat(query["session"])
            rows = market.bars(
                session, now, otc=query.get("otc") == "true", source=query.get("source", "rest")
            )
            rows = market.adjusted(rows, now) if query.get("adjusted") == "true" else rows
            return json_reply(rows.as_lists())
        tables = {
            "splits": truth.splits,
            "dividends": truth.dividends,
            "renames": truth.renames,
            "instruments": truth.instruments,
        }
        return json_reply(tables[what](market, now)) if what in tables else json_reply({"error": what}, 404)


def _target(request: Request) -> str:
    """Return path and query without what is secret."""
    query = "&".join(
        f"{name}={value}" for name, value in request.query.items() if name.lower() not in _SECRETS
    )
    return f"{request.path}?{query}" if query else request.path
