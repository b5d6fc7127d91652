"""All that may happen to a small market, one thing at a time: drawn by Hypothesis, done to a `World`.

Beside the loads, shards and corporate actions of `test_invariant`: dividends, listings and their metadata,
renames, payloads that come again, and files that nobody can read.
"""

import datetime as dt
import json
from contextlib import suppress
from dataclasses import replace

from hypothesis import strategies as st

from batch_layer.fetching import check_archive
from batch_layer.shared.errors import InputError
from tests.integration.test_invariant import FIRST, LAST, SYMBOLS, answers, ex_date, follow, imports, shards
from tests.integration.test_invariant import splits as split_payloads
from tests.support.payloads import FETCHED, dividends_payload, payload
from tests.support.world import MemoryArchive, World, _accepting_nothing

FIGIS = ("F1", "F2")

ordinals = st.integers(FIRST, LAST)
symbols = st.sampled_from(SYMBOLS)


class ReadableArchive(MemoryArchive):
    """The same, from which a database can be rebuilt."""

    def read(self, key):
        return self.payloads[key]

    def keys(self):
        return sorted(self.payloads, key=lambda key: (key.rpartition("/")[2], key))


class LongWorld(World):
    """A world that remembers its payloads, so that they can come again, and be loaded anew.

    Attributes:
        lag: seconds between the fetch of a payload and its load; others may have been fetched between them,
            and loaded before it.
    """

    lag = 0

    def __init__(self, workspace, sessions):
        super().__init__(workspace, sessions)
        self.archive = ReadableArchive()
        self.past = []
        self._collected = None

    def load(self, payload, **how):
        if self._collected is not None:
            return self._collected.append(payload)
        self.past.append(payload)
        fetched_at = payload.fetched_at - dt.timedelta(seconds=self.lag)
        return super().load(replace(payload, fetched_at=fetched_at), **how)

    def payload_of(self, what):
        """Return what would be loaded if that happened; None if nothing would."""
        self._collected = []
        happen(self, what)
        payloads, self._collected = self._collected, None
        if not payloads:
            return None
        self.past += payloads
        self._clock += dt.timedelta(seconds=1)
        return replace(payloads[0], fetched_at=payloads[0].fetched_at + self._clock)

    def loader(self):
        loader = self.workspace.loader(self.sessions)
        return replace(loader, archive=self.archive, parse=_accepting_nothing(loader.parse))

    def empty(self):
        self.past.clear()
        self.lag = 0
        super().empty()

    def rebuild(self):
        """Empty the database, but not the archive, and build it anew."""
        kept = dict(self.archive.payloads)
        self.empty()
        self.archive.payloads.update(kept)
        return check_archive.rebuild(self.loader())


def dividends():
    """Dividends, of a file or all that a vendor knows; an ex-date need not be a session."""
    keys = st.tuples(symbols, ordinals, st.sampled_from([0, 1]))
    some = st.dictionaries(keys, st.sampled_from([0.1, 0.25, 3.0]), max_size=3)
    return st.one_of(
        st.tuples(
            st.just("dividends"),
            st.sampled_from(["file", "massive"]),
            st.just(value=False),
            some.filter(bool),
        ),
        st.tuples(st.just("dividends"), st.sampled_from(["sample", "massive"]), st.just(value=True), some),
    )


def listings():
    """A vendor's reference: some symbols with FIGI, name and status; two may not have one FIGI."""
    figi = st.permutations([*FIGIS, "", ""]).map(lambda drawn: drawn[: len(SYMBOLS)])
    name = st.sampled_from(["One Inc.", "Two Inc."])
    return st.tuples(
        st.just("listings"),
        st.sets(symbols, min_size=1).map(sorted),
        figi,
        name,
        st.one_of(st.none(), ordinals),
        st.booleans(),
    )


def renames():
    """The symbols that an instrument took, one after the other."""
    taken = st.dictionaries(ordinals, symbols, min_size=1, max_size=3).map(
        lambda drawn: sorted(drawn.items())
    )
    return st.tuples(st.just("renames"), st.sampled_from(FIGIS), taken)


def repeats():
    """A payload of before once more: the same bytes, fetched later."""
    return st.tuples(st.just("again"), st.integers(0, 30))


broken = st.tuples(st.just("broken"), st.sampled_from(["daily_bars", "splits"]), st.integers(0, 2))
"""A file that cannot be read."""

loads = st.one_of(
    imports(),
    imports(),
    answers(),
    answers(),
    split_payloads(),
    dividends(),
    listings(),
    renames(),
    repeats(),
    broken,
)
"""Whatever may be loaded."""

resampling = shards()


def happen(world, what):
    """Do one thing to a world."""
    kind, *rest = what
    with suppress(InputError):  # what is broken stays broken when it comes again
        if kind == "dividends":
            provider, whole, amounts = rest
            rows = {
                (symbol, ex_date(world, at, later)): cash for (symbol, at, later), cash in amounts.items()
            }
            asked = (world.sessions.date[0].item(), world.sessions.date[-1].item()) if whole else None
            world.load(
                dividends_payload(
                    [dividend(*key, cash) for key, cash in rows.items()], provider=provider, asked=asked
                )
            )
        elif kind == "listings":
            world.load(_listings(world, *rest))
        elif kind == "renames":
            world.load(_renames(world, *rest))
        elif kind == "again":
            if world.past:
                world.load(world.past[rest[0] % len(world.past)])
        elif kind == "broken":
            world.load(payload(rest[0], f"nothing,of,this\n{rest[1]}".encode()))
        else:
            follow(world, [what])


def dividend(symbol, ex_date, cash_amount):
    return {"symbol": symbol, "ex_date": ex_date, "cash_amount": cash_amount}


def json_payload(dataset, results, *, whole=False):
    """Return a payload of Massive's; ``whole`` makes it all that there is."""
    content = json.dumps({"status": "OK", "results": results}, indent=1).encode()
    asked = (FETCHED.date(), FETCHED.date()) if whole else None
    return replace(payload(dataset, content, provider="massive", asked=asked), media="json")


def _listings(world, listed, figis, name, delisted, whole):
    rows = [
        {"ticker": symbol, "name": f"{symbol} {name}", "active": True, "composite_figi": figi or None}
        for symbol, figi in zip(listed, figis, strict=False)
    ]
    if delisted is not None:
        rows[0] |= {"active": False, "delisted_utc": f"{world.date(delisted)}T00:00:00Z"}
    return json_payload("instruments", rows, whole=whole)


def _renames(world, figi, taken):
    events = [
        {"type": "ticker_change", "date": str(world.date(at)), "ticker_change": {"ticker": symbol}}
        for at, symbol in taken
    ]
    return json_payload("symbols", {"composite_figi": figi, "events": events})
