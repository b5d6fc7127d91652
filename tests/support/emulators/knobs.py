"""What a test can turn on a running emulator."""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections import Counter, deque
from dataclasses import dataclass, field, fields

from tests.support.emulators.faults import COUNTED_ONLY, GROUPED_ONLY, TRANSPORT_ONLY, Fault

FAMILIES = {
    "grouped": frozenset(Fault),
    "counted": frozenset(Fault) - GROUPED_ONLY,
    "json": frozenset(Fault) - GROUPED_ONLY - COUNTED_ONLY,
    "file": TRANSPORT_ONLY,
}
"""Which faults an answer can show: a whole session's, one that counts its results, any JSON, a file."""

_LOG = 20_000


@dataclass
class Knobs:
    """Settings of an emulator, changed at any time.

    Attributes:
        now: the vendor's clock, an aware datetime; None for the real one.
        plan: a name of PLANS (Massive only).
        rate: (calls, seconds) instead of the plan's, or None.
        faults: probability that a call fails.
        fault_names: the faults drawn from; empty for all twenty.
        next_faults: faults of the next calls, first come first served, before any drawn one.
        retry_after: whether a 429 of the plan says Retry-After.
        early_start: what a range that begins before the plan's years gets: "clip" or "refuse".
        old_names_inactive: whether a former ticker is listed among the inactive ones.
        own_host: whether next_url names this emulator rather than the vendor's host.
        dirt: whether some sessions hold a duplicate row or binary junk for a ticker, as vendors do.
        compress: whether to gzip for clients that accept it.
        cut_short: share of rows served, by ISO date, until the entry is removed.
        extra_rows: raw rows added to a session's answer, by ISO date.
        stale_snapshot: seconds by which a snapshot of the market is older than the plan makes it.
        updated: what ``updated`` of a snapshot's row says, ``answer`` or ``trade``: which made it what it is.
        nulls: dates served as rows of nulls, by Yahoo symbol (Yahoo only).
        gaps: dates left out, by Yahoo symbol (Yahoo only).
    """

    now: dt.datetime | None = None
    plan: str = "paid"
    rate: tuple[int, float] | None = None
    faults: float = 0.0
    fault_names: tuple[str, ...] = ()
    next_faults: list[str] = field(default_factory=list)
    retry_after: bool = True
    early_start: str = "clip"
    old_names_inactive: bool = True
    own_host: bool = False
    dirt: bool = True
    compress: bool = True
    cut_short: dict[str, float] = field(default_factory=dict)
    extra_rows: dict[str, list[dict]] = field(default_factory=dict)
    stale_snapshot: float = 0.0
    updated: str = "answer"
    nulls: dict[str, list[str]] = field(default_factory=dict)
    gaps: dict[str, list[str]] = field(default_factory=dict)

    def update(self, values: dict) -> None:
        """Set knobs by name, as they come from JSON.

        Raises:
            ValueError: a name or a fault that there is not.
        """
        known = {knob.name for knob in fields(self)}
        if unknown := set(values) - known:
            raise ValueError(f"no such knobs: {sorted(unknown)}; there are {sorted(known)}")
        for name in (*values.get("fault_names", ()), *values.get("next_faults", ())):
            if name not in Fault.__members__:
                raise ValueError(f"no such fault: {name}; there are {list(Fault.__members__)}")
        for name, value in values.items():
            if name == "now" and isinstance(value, str):
                value = dt.datetime.fromisoformat(value)  # noqa: PLW2901 JSON has no dates
            setattr(self, name, value)

    def as_json(self) -> dict:
        """Return the knobs as JSON can carry them."""
        values = {knob.name: getattr(self, knob.name) for knob in fields(self)}
        return values | {"now": None if self.now is None else self.now.isoformat()}


class Dice:
    """Draws the faults, from a seed."""

    def __init__(self, knobs: Knobs, seed: int) -> None:
        self._knobs = knobs
        self._lock = threading.Lock()
        self.rng = random.Random(seed)

    def draw(self, family: str) -> Fault | None:
        """Return the fault of the next call, None for none."""
        possible = FAMILIES[family]
        with self._lock:
            for index, name in enumerate(self._knobs.next_faults):
                if Fault[name] in possible:
                    del self._knobs.next_faults[index]
                    return Fault[name]
            if not self._knobs.faults or self.rng.random() >= self._knobs.faults:
                return None
            wanted = self._knobs.fault_names or Fault.__members__
            drawn = [Fault[name] for name in wanted if Fault[name] in possible]
            return self.rng.choice(drawn) if drawn else None


class CallLog:
    """Who asked for what, without any key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self.by_endpoint: Counter[str] = Counter()
            self.by_status: Counter[int] = Counter()
            self.by_fault: Counter[str] = Counter()
            self.recent: deque[dict] = deque(maxlen=_LOG)
            self.keys_led_astray = 0

    def add(self, endpoint: str, target: str, status: int, fault: Fault | None) -> None:
        """Count a call."""
        name = fault.name if fault else None
        with self._lock:
            self.by_endpoint[endpoint] += 1
            self.by_status[status] += 1
            if name:
                self.by_fault[name] += 1
            self.recent.append({"endpoint": endpoint, "target": target, "status": status, "fault": name})

    def led_astray(self, *, with_key: bool) -> None:
        """Count a call that followed a redirect to another host."""
        self.add("elsewhere", "/_emulator/elsewhere", 200, None)
        with self._lock:
            self.keys_led_astray += with_key

    def as_json(self) -> dict:
        """Return the counts."""
        with self._lock:
            return {
                "total": sum(self.by_endpoint.values()),
                "by_endpoint": dict(self.by_endpoint),
                "by_status": {str(status): count for status, count in self.by_status.items()},
                "by_fault": dict(self.by_fault),
                "keys_led_astray": self.keys_led_astray,
            }
