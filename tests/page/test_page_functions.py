"""Pure functions of the page, called in the browser."""

import pytest

CALL = """
const done = arguments[arguments.length - 1];
const [module, name, given] = arguments;
import(`/page/${module}`).then((made) => done(made[name](...given)), (error) => done(String(error)));
"""


@pytest.fixture(scope="session")
def call(browser, sample_address):
    """Call a function of a module."""

    def call(module, name, *arguments):
        if not browser.driver.current_url.startswith(sample_address):
            browser.driver.get(f"{sample_address}/page/icon.svg")
        return browser.driver.execute_async_script(CALL, module, name, list(arguments))

    return call


@pytest.mark.parametrize(
    ("instant", "before"),
    [
        ("2024-06-03T12:00:01.250000+00:00", "2024-06-03T12:00:01.249999Z"),
        ("2024-06-03T12:00:01.000001+00:00", "2024-06-03T12:00:01.000000Z"),
        ("2024-01-01T00:00:00+00:00", "2023-12-31T23:59:59.999999Z"),
    ],
)
def test_the_instant_before_a_change_is_a_microsecond_earlier(call, instant, before):
    assert call("views/asof.js", "before", instant) == before


def test_an_instant_shows_the_last_stop_before_it_and_a_date_stands_for_its_end(call):
    stops = ["2024-06-03T12:00:00+00:00", "2024-06-04T12:00:00+00:00", "2024-06-05T12:00:00+00:00"]
    asked = ["2024-06-03", "2024-06-04T11:59:59.999999Z", "2024-06-04", "2024-06-02", "2030-01-01"]
    assert [call("views/asof.js", "stopOf", stops, each) for each in asked] == [0, 0, 1, -1, 2]


def test_a_symbol_that_passed_to_another_company_names_the_former_one_by_its_label(call):
    columns = {
        "instrument_id": [4, 12, 7, 9],
        "symbol": ["X", "X", "Y", "Z"],
        "last_session": ["2010-01-04", "2024-05-31", None, "2024-05-31"],
    }
    assert call("views/search.js", "labelled", columns) == ["X#4", "X", "Y", "Z"]


def test_the_symbol_itself_comes_first_then_other_cases_then_beginnings_then_names(call):
    found = {"symbol": ["AB", "a", "A", "BA", "C"], "name": [None, None, None, None, "Alpha"]}
    assert call("views/search.js", "matches", found, "A") == [2, 1, 0, 3, 4]
    assert call("views/search.js", "matches", found, "a", 2) == [1, 2]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234.50"), (0.5, "0.5000"), (0, "0.00"), (1234567, "1,234,567.00"), (None, "")],
)
def test_prices_are_written_with_two_decimals_or_four_below_one(call, value, text):
    assert call("words.js", "price", value) == text


def test_what_is_copied_quotes_whatever_a_symbol_holds(call):
    state = {
        "symbol": "x'\"\\",
        "interval": "13",
        "adjust": "splits",
        "anchor": "calendar",
        "open": "",
        "as_of": "",
    }
    copied = dict(call("views/copying.js", "snippets", state, "http://host"))
    query = "symbol=x%27%22%5C&interval=13&adjust=splits&anchor=calendar"
    assert copied["curl"] == f"curl 'http://host/v1/bars?{query}&format=csv'"
    assert copied["Python"].startswith('import condvest\n\ntable = condvest.bars("x\'\\"\\\\", interval=13')
    assert f"read_parquet('http://host/v1/bars?{query}&format=parquet')" in copied["DuckDB"]
