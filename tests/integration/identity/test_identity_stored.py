"""Renames, reused symbols and delistings through the database."""

import dataclasses
import datetime as dt

import numpy as np
import pytest

from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.models.given.payload_rows import BarRows, InstrumentRows, SymbolRows
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question

D = dt.date
BAR_DATES = [D(2022, 6, 6), D(2022, 6, 7), D(2022, 6, 8), D(2022, 6, 9), D(2022, 6, 10)]


class Vendor:
    """Hands rows to the loader as if they had been parsed from a payload."""

    def __init__(self, workspace, sessions):
        self._rows = {}
        self._workspace = workspace
        self._loader = dataclasses.replace(workspace.loader(sessions), parse=self._parse)
        self._count = 0

    def _parse(self, payload):
        rows = self._rows[payload.content]
        return Parsed(rows, {}, None)

    def load(self, dataset, rows):
        self._count += 1
        content = f"{self._count}".encode()
        self._rows[content] = rows
        fetched_at = dt.datetime(2024, 1, 2, tzinfo=dt.UTC) + dt.timedelta(hours=self._count)
        payload = Payload(
            "massive",
            dataset,
            content,
            "json",
            None,
            None,
            fetched_at,
            dataset == "instruments",
            f"answer {self._count}",
        )
        return self._loader.load(payload)

    def bars(self, *bars):
        symbols, dates, closes = zip(*bars, strict=True)
        price = np.array(closes, dtype=float)
        count = len(bars)
        return self.load(
            "daily_bars",
            BarRows(
                np.arange(1, count + 1),
                np.array(symbols, dtype=object),
                np.array(dates, dtype="datetime64[D]"),
                *(price for _ in range(4)),
                np.full(count, 100.0),
                np.full(count, np.nan),
                np.full(count, -1),
            ),
        )

    def listings(self, *listings):
        """Load (symbol, figi, delisted or None)."""
        symbols, figis, delisted = zip(*listings, strict=True)
        count = len(listings)
        empty = np.full(count, "", dtype=object)
        unknown = np.full(count, np.nan)
        gone = np.array([date or np.datetime64("NaT") for date in delisted], dtype="datetime64[D]")
        return self.load(
            "instruments",
            InstrumentRows(
                line=np.arange(1, count + 1),
                symbol=np.array(symbols, dtype=object),
                name=np.array([f"{symbol} Inc." for symbol in symbols], dtype=object),
                type=empty,
                exchange=empty,
                currency=empty,
                cik=empty,
                figi=np.array(figis, dtype=object),
                share_class_figi=empty,
                active=np.isnat(gone),
                list_date=np.full(count, np.datetime64("NaT", "D")),
                delisted_date=gone,
                sic_code=empty,
                sic_description=empty,
                market_cap=unknown,
                shares_outstanding=unknown,
                weighted_shares_outstanding=unknown,
            ),
        )

    def renames(self, figi, *taken):
        symbols, dates = zip(*taken, strict=True)
        count = len(taken)
        return self.load(
            "symbols",
            SymbolRows(
                np.arange(1, count + 1),
                np.array(symbols, dtype=object),
                np.array(dates, dtype="datetime64[D]"),
                np.array([figi] * count, dtype=object),
                np.array([max(taken, key=lambda one: one[1])[0]] * count, dtype=object),
            ),
        )

    def closes(self, symbol):
        resample(self._workspace.database, self._workspace.sessions)
        question = Question([symbol], interval=1, adjust="none")
        table = read_bars(self._workspace.database, self._workspace.sessions, question)
        return dict(zip(table["last_session"].to_pylist(), table["close"].to_pylist(), strict=True))


@pytest.fixture
def vendor(workspace, sessions):
    return Vendor(workspace, sessions)


FACEBOOK = [("FB", date, 100.0 + place) for place, date in enumerate(BAR_DATES[:3])]
META = [("META", date, 103.0 + place) for place, date in enumerate(BAR_DATES[3:])]
OLD_META = [("META", date, 9.0 + place) for place, date in enumerate(BAR_DATES[:2])]
SERIES = {date: 100.0 + place for place, date in enumerate(BAR_DATES)}


def test_a_rename_learned_late_makes_one_series_of_two(vendor):
    """FB became META on 2022-06-09; until then another company carried META."""
    vendor.bars(*FACEBOOK, *META, *OLD_META)
    assert len(vendor.closes("META")) == 4
    vendor.listings(("META", "F1", None))
    vendor.renames("F1", ("META", D(2022, 6, 9)), ("FB", D(2012, 5, 18)))
    assert vendor.closes("META") == SERIES
    assert vendor.closes("FB") == SERIES, "a former symbol leads to the same instrument"


def test_what_another_company_did_under_the_symbol_stays_its_own(vendor, database):
    vendor.bars(*FACEBOOK, *META, *OLD_META)
    vendor.listings(("META", "F1", None))
    vendor.renames("F1", ("META", D(2022, 6, 9)), ("FB", D(2012, 5, 18)))
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT symbol, valid_from::text, valid_to::text, array_agg(close ORDER BY ordinal) "
            "FROM symbols LEFT JOIN daily_bars USING (instrument_id) "
            "GROUP BY symbol, valid_from, valid_to, instrument_id ORDER BY valid_to, symbol"
        ).fetchall()
    series = [100.0, 101.0, 102.0, 103.0, 104.0]
    assert rows == [
        ("FB", "-infinity", "2022-06-08", series),
        ("META", "-infinity", "2022-06-08", [9.0, 10.0]),
        ("META", "2022-06-09", "infinity", series),
    ]


def test_a_rename_known_before_the_bars_puts_them_where_they_belong(vendor):
    vendor.listings(("META", "F1", None))
    vendor.renames("F1", ("META", D(2022, 6, 9)), ("FB", D(2012, 5, 18)))
    vendor.bars(*FACEBOOK, *META)
    assert vendor.closes("META") == SERIES


def test_a_symbol_used_again_after_a_rename_is_another_instrument(vendor):
    vendor.listings(("META", "F1", None))
    vendor.renames("F1", ("META", D(2022, 6, 9)), ("FB", D(2012, 5, 18)))
    vendor.bars(*FACEBOOK, *META, ("FB", D(2022, 6, 10), 7.0))
    assert vendor.closes("META") == SERIES
    assert vendor.closes("FB") == {D(2022, 6, 10): 7.0}


def test_a_delisted_symbol_used_again_makes_a_second_instrument_without_any_figi(vendor):
    vendor.bars(("X", BAR_DATES[0], 5.0), ("X", BAR_DATES[4], 50.0))
    vendor.listings(("X", "", D(2022, 6, 7)), ("X", "", None))
    assert vendor.closes("X") == {BAR_DATES[4]: 50.0}


def test_a_rename_seen_in_the_reference_alone_keeps_one_series(vendor):
    """The FIGI of FB is seen under META before META's first session is loaded."""
    vendor.listings(("FB", "F1", None))
    vendor.bars(*FACEBOOK)
    vendor.listings(("META", "F1", None))
    vendor.bars(*META)
    assert vendor.closes("META") == SERIES


def test_the_same_reference_again_changes_nothing(vendor, database):
    vendor.bars(*FACEBOOK, *META)
    listings = (("META", "F1", None), ("X", "", D(2015, 6, 30)), ("X", "F3", None), ("KIMpL", "", None))
    vendor.listings(*listings)
    vendor.renames("F1", ("META", D(2022, 6, 9)), ("FB", D(2012, 5, 18)))
    before = _symbols(database)
    summary = vendor.listings(*listings)
    assert (summary.inserted, summary.changed) == (0, 0)
    assert _symbols(database) == before


def test_stored_bars_follow_their_instruments(vendor, database, sessions):
    """After the rename the bars of n sessions are those of a full recomputation."""
    vendor.bars(*FACEBOOK, *META, *OLD_META)
    resample(database, sessions)
    vendor.listings(("META", "F1", None))
    vendor.renames("F1", ("META", D(2022, 6, 9)), ("FB", D(2012, 5, 18)))
    resample(database, sessions)
    again = resample(database, sessions, full=True)
    assert again.altered == 0
    table = read_bars(database, sessions, Question(["META"], interval=5, include_open=True, adjust="none"))
    assert sum(table["sessions"].to_pylist()) == 5


def _symbols(database):
    with database.transaction() as connection:
        return connection.execute(
            "SELECT symbol, valid_from::text, valid_to::text, instrument_id FROM symbols ORDER BY 1, 2"
        ).fetchall()
