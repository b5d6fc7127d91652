"""Which answers may hold rows of a symbol, by their names."""

import pytest

from condvest.batch_layer.shared.models.instruments.provider_kinds import may_name


@pytest.mark.parametrize(
    ("asked", "symbol"),
    [("BRK-B", "BRK.B"), ("AAC-WT", "AAC.WS"), ("AAC-UN", "AAC.U"), ("KIM-PL", "KIMpL"), ("META", "META")],
)
def test_an_answer_about_one_symbol_is_of_it_in_either_spelling(asked, symbol):
    assert may_name("yahoo", f"yahoo/chart/{asked}", ["OTHER", symbol])
    assert not may_name("yahoo", f"yahoo/chart/{asked}", ["OTHER"])


def test_any_other_answer_may_be_of_any_symbol():
    assert may_name("massive", "massive/splits", ["META"])
    assert may_name("yahoo", "yahoo/quotes", ["META"])
