"""A vendor that serves a synthetic market, what we make of it night after night, and the truth beside it."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.operations import nightly
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.massive import MassiveClient, MassiveProvider, Transport
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.settings import NightlySettings, Settings
from condvest.batch_layer.shared.utils.retry import Retry
from condvest.batch_layer.shared.vendor_settings import MassiveSettings
from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.synthetic import truth
from tests.support.naive import database as naive_database

BAR = ("open", "high", "low", "close", "volume", "vwap", "trades")
START = dt.date(2024, 1, 2)


class Clock:
    """Seconds that pass only when somebody waits."""

    def __init__(self):
        self.seconds = 1_000_000.0

    def __call__(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


def after_close(session):
    """Return an instant in the evening of a session, New York's time."""
    return dt.datetime.combine(session, dt.time(23), dt.UTC)


def serving(market, **knobs):
    """Return Massive's emulator, whose plan counts calls by a clock that stands still unless waited for."""
    clock = Clock()
    emulator = MassiveEmulator(market, clock=clock, delay=0.01, **({"plan": "unlimited"} | knobs))
    emulator.waits = clock
    return emulator


@dataclass(frozen=True)
class AtMassive(Workspace):
    """A workspace at an instant, whose Massive is the emulator at that instant; it waits for nothing.

    The calendar is the one that is stored: making it anew takes longer than a night.
    """

    emulator: MassiveEmulator = field(kw_only=True)

    def extended_sessions(self):
        with self.database.transaction(read_only=True) as connection:
            return read_sessions(connection)

    def _provider(self, provider, symbols, stack, *, from_files=False):
        if provider != "massive":
            return super()._provider(provider, symbols, stack, from_files=from_files)
        clock = self.emulator.waits
        limit = RateLimit(self.settings.home / "limit", Rate(90, 1.0), clock=clock, sleep=clock.sleep)
        client = MassiveClient(
            Transport(self.emulator.url, KEY),
            limit,
            retry=Retry(attempts=40, budget=1e9, sleep=clock.sleep),
            now=lambda: self.now,
        )
        return stack.enter_context(MassiveProvider(client, "paid", lambda: self.now))


@dataclass
class Desk:
    """One database that is kept from one emulated vendor."""

    database: Database
    home: object
    emulator: MassiveEmulator
    ask_again: int = 3

    def at(self, now):
        """Return the workspace at an instant, to which the vendor's clock is set."""
        self.emulator.knobs.update({"now": now})
        settings = Settings(
            home=self.home,
            nightly=NightlySettings(ask_again=self.ask_again),
            massive=MassiveSettings(api_key=KEY, plan="paid"),
        )
        return AtMassive(settings, self.database, now, emulator=self.emulator)

    def night(self, now):
        return nightly.run(self.at(now), "massive", on_wait=lambda: None)

    def backfill(self, now, start=START, end=None, order="newest", on_load=None):
        workspace = self.at(now)
        with workspace.ingest("massive") as ingest:
            sessions = ingest.due.missing(start, end)
            sessions = sessions[::-1] if order == "newest" else sessions
            return nightly.backfill(workspace, ingest, sessions, on_load=on_load)

    def rows(self, query):
        with self.database.transaction(read_only=True) as connection:
            return connection.execute(query).fetchall()

    def dump(self, *, without=("runs",)):
        """Return all that the database holds, as text; of `touched` nothing, whose tokens are random."""
        with self.database.transaction(read_only=True) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            )
            return {
                name: connection.execute(f"SELECT t::text FROM {name} t ORDER BY 1").fetchall()
                for (name,) in tables.fetchall()
                if name not in ("touched", *without)
            }

    def wrong_bars(self):
        """Return the stored bars of n sessions that a naive recomputation does not give."""
        with self.database.transaction(read_only=True) as connection:
            return naive_database.differences(connection)


class Held:
    """What the database holds, by instrument."""

    def __init__(self, desk):
        self.names = defaultdict(list)
        for instrument, symbol, first, last in desk.rows(
            "SELECT instrument_id, symbol, greatest(valid_from, '0001-01-01'), "
            "least(valid_to, '9999-12-31') FROM symbols"
        ):
            self.names[symbol].append((first, last, instrument))
        self.bars = defaultdict(dict)
        for instrument, session, *values in desk.rows(
            f"SELECT instrument_id, session, {', '.join(BAR)} FROM daily_bars JOIN sessions USING (ordinal)"
        ):
            self.bars[instrument][session] = tuple(values)
        self.splits = defaultdict(dict)
        for instrument, *split in desk.rows(
            "SELECT instrument_id, ex_date, split_from, split_to FROM splits"
        ):
            self.splits[instrument][split[0]] = tuple(split[1:])
        self.dividends = defaultdict(dict)
        for instrument, ex_date, amount in desk.rows(
            "SELECT instrument_id, ex_date, cash_amount FROM dividends"
        ):
            self.dividends[instrument][ex_date] = amount
        self.metadata = defaultdict(dict)
        for instrument, name, value in desk.rows("SELECT instrument_id, field, value FROM metadata"):
            self.metadata[instrument][name] = value

    def carrier(self, symbol, date):
        """Return who carries a symbol on a date, None for nobody."""
        carriers = [
            instrument for first, last, instrument in self.names.get(symbol, ()) if first <= date <= last
        ]
        assert len(carriers) <= 1, (symbol, date, carriers)
        return carriers[0] if carriers else None


def disagreements(desk, market, now, start=START, *, unknowable=frozenset(), source="rest"):
    """Return in words wherever the database and the market's truth at an instant differ.

    ``unknowable`` are instruments whose names nothing that the vendor says connects; each of their names
    may have an instrument of its own. ``source`` is where the bars came from: "rest" or "file".
    """
    stored, wrong, owner = Held(desk), [], {}
    otc = market.universe.otc
    listed = [
        instrument for instrument in truth.instruments(market, now) if not otc[instrument["instrument"]]
    ]
    expected = _expected(market, now, start, source)
    for record in listed:
        bars = expected.bars[record["instrument"]]
        parts = [bars]
        whole = {stored.carrier(symbol, session) for session, (symbol, _) in bars.items()}
        if record["instrument"] in unknowable and len(whole) > 1:
            parts = [_within(bars, name) for name in record["names"]]
        for part in filter(None, parts):
            ids = {stored.carrier(symbol, session) for session, (symbol, _) in part.items()}
            who = f"{'/'.join(name['symbol'] for name in record['names'])} #{record['instrument']}"
            if len(ids) != 1 or None in ids:
                wrong.append(f"{who}: its bars are of the instruments {ids}")
                continue
            (instrument,) = ids
            if instrument in owner:
                wrong.append(f"{who}: is one instrument with {owner[instrument]}")
            owner[instrument] = who
            ours = stored.bars[instrument]
            theirs = {session: bar for session, (_, bar) in part.items()}
            wrong += [
                f"{who} {session}: {ours.get(session)} is stored, not {theirs.get(session)}"
                for session in sorted(ours.keys() | theirs.keys())
                if ours.get(session) != theirs.get(session)
            ]
            if record["instrument"] not in unknowable:
                wrong += _metadata(record, who, stored.metadata[instrument])
                for what in ("splits", "dividends"):
                    mine = getattr(stored, what)[instrument]
                    theirs = getattr(expected, what)[record["instrument"]]
                    if mine != theirs:
                        wrong.append(f"{who}: the {what} {mine} are stored, not {theirs}")
    wrong += [
        f"instrument {instrument} has {len(bars)} bars of nobody"
        for instrument, bars in stored.bars.items()
        if instrument not in owner
    ]
    return wrong


@dataclass
class _Expected:
    bars: dict = field(default_factory=lambda: defaultdict(dict))
    splits: dict = field(default_factory=lambda: defaultdict(dict))
    dividends: dict = field(default_factory=lambda: defaultdict(dict))


def _expected(market, now, start, source):
    expected = _Expected()
    for session in market.sessions():
        if session < start:
            continue
        rows = market.bars(session, now, source=source)
        columns = [getattr(rows, name).tolist() for name in BAR]
        for instrument, symbol, *values in zip(
            rows.instrument.tolist(), rows.symbol.tolist(), *columns, strict=True
        ):
            *prices, vwap, trades = values
            bar = (*prices, None if np.isnan(vwap) else vwap, None if trades < 0 else trades)
            expected.bars[instrument][session] = (symbol, bar)
    for action in truth.splits(market, now):
        ex_date = dt.date.fromisoformat(action["ex_date"])
        expected.splits[action["instrument"]][ex_date] = (action["split_from"], action["split_to"])
    for action in truth.dividends(market, now):
        expected.dividends[action["instrument"]][dt.date.fromisoformat(action["ex_date"])] = action[
            "cash_amount"
        ]
    return expected


def _within(bars, name):
    last = name["to"] or "9999"
    return {session: bar for session, bar in bars.items() if name["from"] <= session.isoformat() <= last}


def _metadata(record, who, stored):
    true = {
        "active": "false" if record["delisted_date"] else "true",
        "delisted_date": record["delisted_date"],
        "figi": record["composite_figi"],
        "cik": record["cik"],
        "type": record["type"],
        "exchange": record["primary_exchange"],
        "currency": "USD",
    }
    return [
        f"{who}: {name} is {stored.get(name)}, not {value}"
        for name, value in true.items()
        if stored.get(name) != value
    ]


def unconnected(market, now):
    """Return the renamed instruments of which nothing the vendor says connects the names.

    The FIGI does, and while they are listed the events of their ticker do.
    """
    return {
        instrument["instrument"]
        for instrument in truth.instruments(market, now)
        if len(instrument["names"]) > 1
        and instrument["composite_figi"] is None
        and instrument["delisted_date"]
    }
