"""Splits and dividends that a list names by a symbol of today find who carried another one then."""

import pytest

from tests.support.payloads import bar, json_payload, split


@pytest.fixture
def renamed(world):
    """A until session 4, B since session 5; what A is called now is the business of this file alone."""
    world.bars([bar("A", world.date(at)) for at in range(5)], provider="massive", whole=(0, 4))
    with world.workspace.database.transaction() as connection:
        connection.execute("UPDATE symbols SET valid_to = %s::date - 1", (world.date(5),))
        connection.execute(
            "INSERT INTO symbols (symbol, valid_from, valid_to, instrument_id) "
            "SELECT 'B', %s, 'infinity', instrument_id FROM symbols",
            (world.date(5),),
        )
    return world


@pytest.mark.parametrize("symbol", ["A", "B"])
def test_a_split_under_the_name_of_then_or_of_today_is_the_same_instruments(renamed, symbol):
    ratio = {"execution_date": str(renamed.date(2)), "split_from": 1, "split_to": 2}
    renamed.load(json_payload("splits", [{"ticker": symbol, **ratio}]))
    amount = {"ex_dividend_date": str(renamed.date(3)), "cash_amount": 0.5}
    renamed.load(json_payload("dividends", [{"ticker": symbol, **amount}]))
    assert renamed.ask("SELECT count(*) FROM instruments") == [(1,)]
    assert renamed.ask("SELECT ex_date, split_to FROM splits") == [(renamed.date(2), 2.0)]
    assert renamed.ask("SELECT ex_date, cash_amount FROM dividends") == [(renamed.date(3), 0.5)]


def test_an_action_of_nobody_makes_no_instrument_and_is_kept(renamed):
    renamed.splits([split("NOBODY", renamed.date(2), 1, 2)], provider="massive")
    assert renamed.ask("SELECT count(*) FROM instruments") == [(1,)]
    assert renamed.ask("SELECT symbol, code FROM refused_rows") == [("NOBODY", "no_instrument")]
