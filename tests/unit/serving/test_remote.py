"""Bars over HTTP: what the client makes of a server's answers."""

import httpx
import pytest

from condvest.batch_layer.shared.errors import PublishedUnavailable, UsageError
from condvest.serving_layer.queries.bars.bars_table import SCHEMA
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.remote import _error, read_bars_over_http


@pytest.mark.parametrize(
    ("status", "kind", "raised"),
    [
        (501, "not-served", UsageError),
        (503, "unavailable", PublishedUnavailable),
        (400, "bad-request", UsageError),
    ],
)
def test_a_problem_is_the_error_that_the_source_itself_would_raise(status, kind, raised):
    answer = httpx.Response(status, json={"type": f"/problems/{kind}", "detail": "as_of: no history"})
    error = _error("http://127.0.0.1:8400/v1/bars", answer)
    assert (type(error), "as_of: no history" in str(error)) == (raised, True)


@pytest.mark.parametrize("empty", [[], ()])
def test_an_empty_list_of_symbols_is_no_bars_and_never_the_whole_market(empty):
    """Nobody is asked: a question over HTTP without symbols is one for all of them."""
    bars = read_bars_over_http("http://127.0.0.1:1", None, Question(symbols=empty))
    assert (len(bars), bars.schema) == (0, SCHEMA)
