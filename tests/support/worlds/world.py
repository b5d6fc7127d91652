"""A small market in a database, to be loaded, changed and looked at."""

import datetime as dt
from dataclasses import replace

import psycopg

from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.clients.archive import key_of
from tests.support.databases.servers import forget
from tests.support.naive import database as naive_database
from tests.support.payloads import bars_payload, dividends_payload, splits_payload

_ROW = {
    "daily_bars": b"A,1962-01-02,1,1,1,1,1,1,1\n",
    "splits": b"A,1962-01-02,1,2\n",
    "dividends": b"A,1962-01-02,1\n",
}


class MemoryArchive:
    """An archive that need not wait for the disk."""

    def __init__(self):
        self.payloads = {}

    def keep(self, payload, *, again=False):
        key = key_of(payload)
        folder = key.rpartition("/")[0]
        newest = max((key for key in self.payloads if key.startswith(f"{folder}/")), default=None)
        if newest is not None and not again and self.payloads[newest].content == payload.content:
            return newest
        self.payloads[key] = payload
        return key

    def read(self, key):
        """Return the payload under a key."""
        return self.payloads[key]

    def options(self, key):
        """Return what was said of the payload under a key."""
        return self.payloads[key].options


class World:
    """One workspace and its calendar. Sessions are named by their ordinals here.

    Each payload is fetched a second later than the one before it.
    """

    def __init__(self, workspace, sessions):
        self.workspace = workspace
        self.sessions = sessions
        self.url = workspace.settings.database.url
        self.archive = MemoryArchive()
        self._clock = dt.timedelta(0)
        self._looking = None

    def date(self, ordinal):
        return self.sessions.session(ordinal)

    def loader(self, *, rehearsal=False):
        """Return a loader that keeps payloads in memory, and takes a vendor's answer without rows."""
        loader = self.workspace.loader(self.sessions, rehearsal=rehearsal)
        return replace(loader, archive=self.archive, parse=_accepting_nothing(loader.parse))

    def load(self, payload, *, rehearsal=False):
        return self.load_all([payload], rehearsal=rehearsal)[0]

    def load_all(self, payloads, *, rehearsal=False):
        loader = self.loader(rehearsal=rehearsal)
        fetched = []
        for payload in payloads:
            self._clock += dt.timedelta(seconds=1)
            fetched.append(replace(payload, fetched_at=payload.fetched_at + self._clock))
        return loader.load_all(list(map(loader.read, fetched)))

    def bars(self, rows, *, whole=None, **how):
        """Load daily bars; ``whole``, first and last ordinal, makes them a vendor's whole-market answer."""
        asked = whole and tuple(map(self.date, whole))
        return self.load(bars_payload(rows, asked=asked, **how))

    def splits(self, rows, *, whole=False, **how):
        asked = (self.sessions.date[0].item(), self.sessions.date[-1].item()) if whole else None
        return self.load(splits_payload(rows, asked=asked, **how))

    def dividends(self, rows, **how):
        return self.load(dividends_payload(rows, **how))

    def resample(self, **how):
        return resample(self.workspace.database, self.sessions, **how)

    @property
    def looking(self):
        """A connection of the tests' own."""
        if self._looking is None:
            self._looking = psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC")
        return self._looking

    def close(self):
        if self._looking is not None:
            self._looking.close()

    def ask(self, query, *parameters):
        return self.looking.execute(query, parameters or None).fetchall()

    def number(self, query, *parameters):
        ((value,),) = self.ask(query, *parameters)
        return value

    def instrument(self, symbol):
        return self.number("SELECT instrument_id FROM symbols WHERE symbol = %s", symbol)

    def ledger(self, provider):
        """Return the status of each session that the ledger holds of a provider."""
        return dict(
            self.ask(
                "SELECT ordinal, status FROM ledger JOIN providers USING (provider_id) "
                "WHERE provider = %s ORDER BY 1",
                provider,
            )
        )

    def differences(self):
        return naive_database.differences(self.looking)

    def tables(self):
        """Return the names of all tables but `touched`, whose tokens are drawn at random."""
        return [
            row[0]
            for row in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            if row[0] != "touched"
        ]

    def relations(self):
        """Return the same names with `bars` in the place of the tables that hold its rows.

        An open bar lies among the closed ones where a history was built at once.
        """
        return [
            "bars",
            *(name for name in self.tables() if not name.startswith(("closed_bars", "open_bars"))),
        ]

    def dump(self, *, sequences=True):
        """Return everything that the database holds, as text."""
        tables = {
            name: [row[0] for row in self.ask(f"SELECT t::text FROM {name} t ORDER BY 1")]
            for name in self.tables()
        }
        if sequences:
            tables["sequences"] = self.ask("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")
        return tables

    def empty(self):
        """Forget everything but the calendar; the next payload is fetched when the first one was."""
        self._clock = dt.timedelta(0)
        self.archive.payloads.clear()
        forget(self.looking)


def _accepting_nothing(parse):
    """Let a vendor's answer hold no row at all; of a file that is a fault."""

    def read(payload):
        if not payload.is_whole or payload.content.count(b"\n") > 1:
            return parse(payload)
        parsed = parse(replace(payload, content=payload.content + _ROW[payload.dataset]))
        return replace(parsed, rows=parsed.rows.take(slice(0)), source=parsed.source.slice(0, 0))

    return read
