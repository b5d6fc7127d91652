"""The twenty-five ways in which an emulated stream can fail, and what each does to frames."""

from __future__ import annotations

import json
import random
from enum import Enum

from tests.support.emulators.synthetic.trades import MINUTE, SECOND


class StreamFault(Enum):
    """A named fault; the value says what the client sees."""

    MAX_CONNECTIONS = (
        "after the acknowledged subscription max_connections and close 1008, to the older or the newer"
    )
    AUTH_FAILED = "auth_failed, then the connection drops without a close frame"
    PLAN_WITHOUT_STREAM = "auth_failed: the plan doesn't include websocket access"
    AUTH_TIMEOUT = "auth_timeout, then the connection drops"
    NOT_AUTHORIZED = "the subscription is answered with an error, not authorized, that names nothing"
    UNKNOWN_TOPIC = "the subscription is met with silence, and no data come"
    REPEATED_SUBSCRIBE = "the subscription is not answered, but its data come"
    ACKS_IN_DATA = "the acknowledgement shares a frame with data"
    BIG_FRAME = "a frame above 1 MiB, in fragments"
    MALFORMED = "broken JSON, nulls, numbers as text, unknown fields, no dv, op 0, otc"
    RESENT = "a minute comes first with a higher high and volume, and is sent again right"
    DUPLICATE = "a frame comes twice"
    OUT_OF_ORDER = "minutes come in any order, some of them up to 14:59 late"
    LATE_TRADE = "a trade reported later than 15 minutes: in the day, never in a minute"
    NEVER_SENT = "some symbols' minutes never come"
    MUTE = "the connection answers pings and gives nothing more"
    TRICKLE = "two minutes in a hundred come"
    CLOSED = "the connection is closed: 1000, 1001, 1011, 1012, or not at all (1006)"
    RESET_IN_FRAME = "a reset in the midst of a frame"
    HALF_OPEN = "the other side is gone, and says nothing of it"
    SLOW_CONSUMER = "data come late, then the connection is killed"
    DOUBLED_VOLUME = "volumes are doubled for a while"
    UPGRADE_REFUSED = "the upgrade is answered with 401, 429, 502 or bytes of another protocol"
    PING_UNANSWERED = "pings are not answered"
    SKEWED_CLOCK = "the server's clock is ahead: minutes come before they have ended by the client's"


AT_HANDSHAKE = frozenset(
    {
        StreamFault.MAX_CONNECTIONS,
        StreamFault.AUTH_FAILED,
        StreamFault.PLAN_WITHOUT_STREAM,
        StreamFault.AUTH_TIMEOUT,
        StreamFault.NOT_AUTHORIZED,
        StreamFault.UNKNOWN_TOPIC,
        StreamFault.REPEATED_SUBSCRIBE,
        StreamFault.ACKS_IN_DATA,
        StreamFault.UPGRADE_REFUSED,
    }
)
"""Faults of the handshake."""

OF_TRUTH = frozenset({StreamFault.LATE_TRADE})
"""Faults that lie in the trades themselves; they are always there."""

AT_BURST = frozenset(StreamFault) - AT_HANDSHAKE - OF_TRUTH
"""Faults of a burst of data, or of the connection that carries it."""

FOR_GOOD = frozenset(
    {StreamFault.MUTE, StreamFault.TRICKLE, StreamFault.HALF_OPEN, StreamFault.SLOW_CONSUMER}
)
"""Faults that a connection does not recover from."""

CLOSE_CODES = (1000, 1001, 1006, 1011, 1012)
DOUBLED_FOR = 5 * MINUTE
LONGEST_HOLD = 14 * MINUTE + 59 * SECOND


def malformed(messages: list[dict], draw: random.Random) -> list[bytes]:
    """Return a burst with one message spoilt in some way, and what no client can read beside it."""
    spoilt = [dict(message) for message in messages]
    victim = draw.choice(spoilt)
    kind = draw.randrange(7)
    if kind == 0:
        return [json.dumps(spoilt).encode()[:-3], json.dumps(spoilt).encode()]
    changes = (
        {"h": None, "l": None},
        {"c": str(victim["c"])},
        {"novel": {"nested": [1]}},
        {"dv": None, "dav": None},
        {"op": 0},
        {"otc": True},
    )
    extra = {**victim, **changes[kind - 1]}
    # What was spoilt comes right as well, but for what a client may not mind.
    frames = [[extra]] if kind in (3, 4, 5) else [[*spoilt, extra], spoilt]
    rest = [message for message in spoilt if message["sym"] != victim["sym"]]
    return [json.dumps(frame).encode() for frame in (frames if len(frames) > 1 else [[*rest, *frames[0]]])]


def big(messages: list[dict]) -> list[bytes]:
    """Return a frame above 1 MiB in fragments."""
    frame = json.dumps([{"ev": "unknown", "pad": "x" * 1_100_000}, *messages]).encode()
    return [frame[:500_000], frame[500_000:]]


def resent(messages: list[dict]) -> list[bytes]:
    """Return a burst whose first message has first a higher high and volume."""
    wrong = dict(messages[0])
    wrong |= {"h": round(wrong["h"] * 1.05, 4), "av": wrong["av"] + 900, "dav": f"{wrong['av'] + 900}.0"}
    return [json.dumps([wrong, *messages[1:]]).encode(), json.dumps(messages[:1]).encode()]


def doubled(messages: list[dict]) -> list[dict]:
    """Return messages whose volumes are twice the true ones."""
    return [
        {**message, "v": 2 * message["v"], "av": 2 * message["av"], "dav": str(2 * float(message["dav"]))}
        for message in messages
    ]
