"""Answers while the data change, and answers that would not fit."""

import json

import pyarrow as pa
import pytest

from condvest.batch_layer.shared.errors import PublishedError, UnknownSymbol
from condvest.serving_layer.contract import Common
from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.endpoints import Endpoint
from condvest.serving_layer.http.answers.problems import Gone, problem
from condvest.serving_layer.http.answers.reports import LARGEST
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.queries.bars.size import TooLarge


class Moving:
    """Data that move on from load 1 to load 2 when they are told to; every row holds its load."""

    has_database = True

    def __init__(self):
        self.load = 1
        self.moves_while_read = False

    def state(self, *, live=False):  # noqa: ARG002
        return State(f"d-01234567-1:{self.load}", self.load)

    def read(self, _backend, _query, known_by):
        if self.moves_while_read:
            self.load = 2
        return pa.table({"load": [known_by or self.load] * 4}), self.state()


def loads(reply):
    return [row["load"] for row in json.loads(reply.body)["rows"]]


@pytest.mark.parametrize("can_look_back", [True, False])
def test_a_load_between_the_look_at_the_state_and_the_read_mixes_no_page(can_look_back):
    data = Moving()
    endpoint = Endpoint("/v1/any", Common, data.read, can_look_back=can_look_back)
    first = Answering(data).reply(endpoint, [("limit", "2")], {})
    cursor = json.loads(first.body)["next"].partition("cursor=")[2]
    # Another server of the same data, which has kept nothing: the load comes within its answer.
    data.moves_while_read = True
    other = Answering(data)
    following = [("limit", "2"), ("cursor", cursor)]
    if not can_look_back:
        with pytest.raises(Gone):
            other.reply(endpoint, following, {})
        return
    second = other.reply(endpoint, following, {})
    assert loads(first) + loads(second) == [1, 1, 1, 1]
    assert second.headers["Condvest-Version"] == first.headers["Condvest-Version"]
    assert loads(other.reply(endpoint, [], {})) == [2, 2, 2, 2]


def test_who_has_any_answer_is_told_so_only_where_there_is_one():
    data = Moving()
    endpoint = Endpoint("/v1/any", Common, data.read)
    has_any = {"if-none-match": "*"}
    assert Answering(data).reply(endpoint, [], has_any).status == 304

    def refuses(*_):
        raise UnknownSymbol("no instrument with bars carries the symbol X")

    with pytest.raises(UnknownSymbol):
        Answering(data).reply(Endpoint("/v1/any", Common, refuses), [], has_any)


@pytest.mark.parametrize("shape", ["csv", "arrow", "parquet", "ndjson"])
def test_an_answer_that_would_not_fit_is_refused_with_what_to_ask_instead(shape):
    rows = pa.table({"value": pa.nulls(LARGEST.answer // 8 + 1, pa.int64())})
    data = Moving()
    endpoint = Endpoint("/v1/any", Common, lambda *_: (rows, data.state()))
    with pytest.raises(TooLarge, match="Ask for fewer symbols") as raised:
        Answering(data).reply(endpoint, [("format", shape)], {})
    assert problem(raised.value, "id")[0] == 413
    page = Answering(data).reply(endpoint, [("format", shape), ("limit", "2")], {})
    assert page.headers["Condvest-Rows"] == "2"


class Vanishing(Moving):
    """Published data whose version is removed while it is read, so many times; then it is gone for good."""

    has_database = False

    def __init__(self, times, *, follows=True):
        super().__init__()
        self.times = times
        self.follows = follows

    def read(self, backend, query, known_by):
        if self.times:
            self.times -= 1
            self.load += self.follows
            raise PublishedError("a file is gone")
        return super().read(backend, query, known_by)


@pytest.mark.parametrize("times", [1, 2])
def test_a_version_that_disappears_while_it_is_read_is_followed_by_the_next(times):
    data = Vanishing(times)
    reply = Answering(data).reply(Endpoint("/v1/any", Common, data.read), [], {})
    assert loads(reply) == [1 + times] * 4
    assert reply.headers["Condvest-Version"] == data.state().version


@pytest.mark.parametrize("data", [Vanishing(1, follows=False), Vanishing(5)], ids=["no next", "no end"])
def test_a_version_without_another_is_told_as_gone(data):
    with pytest.raises(PublishedError, match="a file is gone"):
        Answering(data).reply(Endpoint("/v1/any", Common, data.read), [], {})
    status, members = problem(PublishedError("secret/path is gone"), "id")
    assert (status, "secret" in members["detail"]) == (503, False)
