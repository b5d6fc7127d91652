"""A small market that remembers what it loaded: payloads come again, and a database is rebuilt from them."""

import datetime as dt
from dataclasses import replace

from condvest.batch_layer.fetching.rebuild import keys_to_load, rebuild
from tests.support.worlds.playing import play
from tests.support.worlds.world import MemoryArchive, World


class ReadableArchive(MemoryArchive):
    """An archive in memory from which a database can be rebuilt."""

    def read(self, key):
        """Return the payload under a key."""
        return self.payloads[key]

    def keys(self):
        """Return the keys in the order of their fetches."""
        return sorted(self.payloads, key=lambda key: (key.rpartition("/")[2], key))


class LongWorld(World):
    """A world that remembers its payloads, so that they can come again, and be loaded anew.

    Attributes:
        lag: seconds between the fetch of a payload and its load; others may have been fetched between them,
            and loaded before it.
        past: the payloads loaded so far, oldest first.
    """

    lag = 0

    def __init__(self, workspace, sessions):
        super().__init__(workspace, sessions)
        self.archive = ReadableArchive()
        self.past = []
        self._collected = None

    def load(self, payload, **how):
        """Load a payload that was fetched `lag` seconds ago; while `payload_of` collects, keep it instead."""
        if self._collected is not None:
            return self._collected.append(payload)
        self.past.append(payload)
        fetched_at = payload.fetched_at - dt.timedelta(seconds=self.lag)
        return super().load(replace(payload, fetched_at=fetched_at), **how)

    def payload_of(self, event):
        """Return the payload that an event would load; None if it would load none."""
        self._collected = []
        play(self, event)
        payloads, self._collected = self._collected, None
        if not payloads:
            return None
        self.past += payloads
        self._clock += dt.timedelta(seconds=1)
        return replace(payloads[0], fetched_at=payloads[0].fetched_at + self._clock)

    def empty(self):
        """Forget everything but the calendar."""
        self.past.clear()
        self.lag = 0
        super().empty()

    def rebuild(self):
        """Empty the database, but not the archive, and build it anew."""
        kept = dict(self.archive.payloads)
        self.empty()
        self.archive.payloads.update(kept)
        loader = self.loader()
        faults: list[str] = []
        summaries = rebuild(loader, keys_to_load(loader), faults)
        assert faults == []
        return summaries


WITHOUT_INSTANTS = {
    "loads": "(SELECT load_id, provider, dataset, name, archive_key, digest, fetched_at, rows, inserted, "
    "changed, unchanged, withdrawn, outranked, duplicates, refused FROM loads JOIN providers "
    "USING (provider_id))",
    "instruments": "(SELECT instrument_id FROM instruments)",
}
"""What the clock of a rebuild does not repeat: when a load was stored, when an instrument was made."""


def everything_in(world):
    """Return everything that the database holds, but for what `WITHOUT_INSTANTS` leaves out."""
    return {
        name: world.ask(f"SELECT t::text FROM {WITHOUT_INSTANTS.get(name, name)} AS t ORDER BY 1")
        for name in world.relations()
        if name not in ("runs", "changes")
    }
