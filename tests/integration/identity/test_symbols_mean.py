"""Files name symbols as they were on the rows' dates, or as they are today; their options say which.

A fund carries NEW to session 9. A company carries OLD to session 9, and NEW from session 10 on.
"""

import datetime as dt
from dataclasses import replace

import pytest

from condvest.batch_layer.database.stores.identity.ownership import write_spans
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan
from tests.support.payloads import bar, bars_payload, dividend, dividends_payload, split, splits_payload


@pytest.fixture
def renamed(world):
    day = dt.timedelta(1)
    world.bars([bar("NEW", world.date(0)), bar("OLD", world.date(0))])
    [(fund,)] = world.ask("SELECT instrument_id FROM symbols WHERE symbol = 'NEW'")
    [(company,)] = world.ask("SELECT instrument_id FROM symbols WHERE symbol = 'OLD'")
    taken = world.date(10)
    with world.workspace.database.transaction() as connection:
        spans = {
            fund: [SymbolSpan("NEW", last=taken - day)],
            company: [SymbolSpan("OLD", last=taken - day), SymbolSpan("NEW", first=taken)],
        }
        write_spans(connection, spans, world.sessions)
    world.fund, world.company = fund, company
    return world


@pytest.mark.parametrize(("symbols_mean", "owner"), [("date", "fund"), ("today", "company")])
@pytest.mark.parametrize(
    ("table", "key", "make"),
    [
        ("daily_bars", "ordinal", lambda date: bars_payload([bar("NEW", date)])),
        ("splits", "ex_date", lambda date: splits_payload([split("NEW", date)])),
        ("dividends", "ex_date", lambda date: dividends_payload([dividend("NEW", date, 1.0)])),
    ],
)
def test_whose_rows_they_are(renamed, table, key, make, symbols_mean, owner):
    payload = make(renamed.date(5))
    renamed.load(replace(payload, options=FileOptions(symbols_mean=symbols_mean)))
    number = 5 if key == "ordinal" else renamed.date(5)
    found = renamed.ask(f"SELECT instrument_id FROM {table} WHERE {key} = %s", number)
    assert found == [(getattr(renamed, owner),)]


def test_options_of_archives_that_did_not_know_it_mean_the_date():
    values = FileOptions(symbols_mean="today").as_json()
    assert FileOptions.of_json(values).symbols_mean == "today"
    del values["symbols_mean"]
    assert FileOptions.of_json(values).symbols_mean == "date"


def of_today(*rows):
    return replace(bars_payload(list(rows)), options=FileOptions(symbols_mean="today"))


def test_a_symbol_that_nobody_has_today_is_not_of_whoever_had_it_then_and_has_another(renamed):
    """OLD of session 5 is not the company's, which is NEW by now: it waits for whoever took OLD since."""
    summary = renamed.load(of_today(bar("OLD", renamed.date(5))))
    assert (summary.inserted, summary.refused) == (0, {"no_instrument": 1})
    assert "nobody carries the symbol today" in summary.first_refused
    assert renamed.ask("SELECT code, symbol FROM refused_rows") == [("no_instrument", "OLD")]
    assert renamed.ask("SELECT ordinal FROM daily_bars ORDER BY 1") == [(0,), (0,)]

    renamed.bars([bar("OLD", renamed.date(20))])  # another company has taken it
    [(taker,)] = renamed.ask("SELECT instrument_id FROM daily_bars WHERE ordinal = 20")
    assert taker not in (renamed.fund, renamed.company)
    assert renamed.ask("SELECT instrument_id FROM daily_bars WHERE ordinal = 5") == [(taker,)]
    assert renamed.ask("SELECT count(*) FROM refused_rows") == [(0,)]
    assert renamed.ask("SELECT ordinal FROM ledger ORDER BY 1") == [(0,), (5,), (20,)]
    renamed.resample()
    assert renamed.differences() == []


def test_a_file_that_shows_who_has_the_symbol_today_gives_it_its_whole_past(renamed):
    """A download of OLD to session 20: whoever is OLD there is a company of its own, and nothing waits."""
    summary = renamed.load(of_today(*(bar("OLD", renamed.date(at)) for at in (5, 9, 10, 20))))
    assert (summary.inserted, summary.refused) == (4, {})
    [(taker,)] = renamed.ask("SELECT DISTINCT instrument_id FROM daily_bars WHERE ordinal >= 5")
    assert taker not in (renamed.fund, renamed.company)


def test_a_company_that_ended_under_its_symbol_keeps_its_bars(renamed):
    """Nobody has GONE today, and who had it then has no other symbol: it was delisted."""
    renamed.bars([bar("GONE", renamed.date(0))])
    [(gone,)] = renamed.ask("SELECT instrument_id FROM symbols WHERE symbol = 'GONE'")
    with renamed.workspace.database.transaction() as connection:
        write_spans(connection, {gone: [SymbolSpan("GONE", last=renamed.date(9))]}, renamed.sessions)
    renamed.load(of_today(bar("GONE", renamed.date(5))))
    assert renamed.ask("SELECT instrument_id FROM daily_bars WHERE ordinal = 5") == [(gone,)]
