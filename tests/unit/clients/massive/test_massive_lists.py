"""Splits, dividends, tickers, details, events, market status: read from stored answers."""

import datetime as dt
import json
import math
from pathlib import Path

import numpy as np
import pytest

from condvest.batch_layer.shared.clients.massive import json_seq, parse
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Payload

STORED = Path(__file__).parents[3] / "payloads" / "massive"
NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)


def parsed(dataset, *names, media="json-seq"):
    bodies = [(STORED / f"{name}.json").read_bytes() for name in names]
    content = json_seq.join(bodies) if media == "json-seq" else bodies[0]
    return parse(Payload("massive", dataset, content, media, None, None, NOW, is_whole=False, name="/list"))


def iso(dates):
    return [None if np.isnat(date) else str(date) for date in dates]


def numbers(values):
    return [None if math.isnan(value) else value for value in values]


def test_splits_of_the_current_list():
    read = parsed("splits", "splits_v1")
    assert read.rows.symbol.tolist() == ["AAPL", "GE", "TR", "BAD"]
    assert iso(read.rows.ex_date) == ["2020-08-31", "2021-08-02", "2024-03-04", None]
    assert numbers(read.rows.split_from) == [1.0, 8.0, 1.0, None]
    assert numbers(read.rows.split_to) == [4.0, 1.0, 1.03, None]
    assert read.faults == {
        3: "ex_date: '2024-02-30' is not a date; split_from: '1' is not a number; split_to: missing"
    }
    assert read.source.slice(2, 1).to_pylist()[0]["adjustment_type"] == "stock_dividend"


def test_splits_of_two_kinds_on_one_date_are_one_product_and_other_repeats_stay():
    """A 2-for-1 split and a 5 % stock dividend make 2.1 of 1; two of one kind may be copies or not."""
    row = {"ticker": "A", "execution_date": "2024-03-04", "split_from": 1, "split_to": 2}
    told = [
        row | {"adjustment_type": "forward_split"},
        row | {"adjustment_type": "stock_dividend", "split_from": 20, "split_to": 21},
        row | {"adjustment_type": "forward_split", "ticker": "B"},
        row | {"adjustment_type": "forward_split", "ticker": "B", "split_to": 3},
        row | {"ticker": "C"},
        row | {"ticker": "C", "adjustment_type": "stock_dividend", "split_to": 3},
    ]
    content = json.dumps({"status": "OK", "results": told}).encode()
    read = parse(Payload("massive", "splits", content, "json", None, None, NOW, is_whole=False, name="/l"))
    found = zip(read.rows.symbol, read.rows.split_from.tolist(), read.rows.split_to.tolist(), strict=True)
    assert list(found) == [("A", 20, 42), ("B", 1, 2), ("B", 1, 3), ("C", 1, 2), ("C", 1, 3)]


def test_pages_follow_each_other_and_both_shapes_are_read():
    """The deprecated list's page after the current one's: lines and faults count on."""
    read = parsed("splits", "splits_v3", "splits_v1", "splits_v3")
    assert read.rows.line.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert read.rows.symbol.tolist() == ["AAPL", "GE", "AAPL", "GE", "TR", "BAD", "AAPL", "GE"]
    assert list(read.faults) == [5]
    assert read.source.num_rows == 8
    assert read.source["adjustment_type"].to_pylist()[:3] == [None, None, "forward_split"]


@pytest.mark.parametrize(("amount", "joined"), [(1e308, 1e308), (1.7e308, math.inf)])
def test_a_sum_beyond_all_numbers_is_left_for_the_rules_to_refuse(amount, joined):
    rows = [
        {"ticker": "A", "ex_dividend_date": "2024-01-03", "cash_amount": paid, "dividend_type": kind}
        for paid, kind in ((amount, "CD"), (amount / 10, "SC"))
    ]
    content = json.dumps({"status": "OK", "results": rows}).encode()
    now = dt.datetime(2024, 7, 10, 16, tzinfo=dt.UTC)
    read = parse(Payload("massive", "dividends", content, "json", None, None, now, is_whole=False, name="l"))
    assert read.rows.cash_amount.tolist() == [pytest.approx(joined * 1.1)]


def test_dividends_of_two_kinds_on_one_date_are_one_sum_and_other_repeats_stay():
    """MSFT paid 0.08 and a special 3.00 on one ex-date; copies and contradictions are quality's."""
    read = parsed("dividends", "dividends_v1")
    found = list(zip(read.rows.line.tolist(), read.rows.symbol, numbers(read.rows.cash_amount), strict=True))
    assert found == [
        (1, "IBM", 0.18),
        (2, "MSFT", 3.08),
        (4, "RY", 0.52),
        (5, "TWICE", 0.1),
        (6, "TWICE", 0.1),
        (7, "UNSURE", 0.1),
        (8, "UNSURE", 0.2),
        (9, "NOSUM", None),
    ]
    assert iso(read.rows.ex_date)[:2] == ["2004-08-06", "2004-11-15"]
    assert read.faults == {2: "currency: 'CAD' is not USD", 7: "cash_amount: missing"}
    assert read.source["id"].to_pylist() == ["D1", "D2", "D4", "D5", "D6", "D7", "D8", "D9"]


def test_dividends_of_the_deprecated_list():
    read = parsed("dividends", "dividends_v3")
    assert read.rows.symbol.tolist() == ["AAPL", "FUND"]
    assert read.rows.cash_amount.tolist() == [0.22, 1.3]
    assert read.faults == {}


def test_tickers_listed_and_delisted():
    read = parsed("instruments", "tickers")
    rows = read.rows
    assert rows.symbol.tolist() == ["A", "ASTR", "OLD", "ODD"]
    assert rows.name.tolist()[:3] == ["Agilent Technologies Inc.", "Nobody Knows Its FIGI", "Delisted"]
    assert rows.type.tolist() == ["CS", "CS", "ETF", ""]
    assert rows.exchange.tolist() == ["XNYS", "XNAS", "", ""]
    assert rows.currency.tolist() == ["USD"] * 4
    assert rows.cik.tolist() == ["0001090872", "", "", ""]
    assert rows.figi.tolist() == ["BBG000C2V3D6", "", "", ""]
    assert rows.share_class_figi.tolist() == ["BBG001SCTQY4", "", "", ""]
    assert rows.active.tolist() == [True, False, False, True]
    assert iso(rows.delisted_date) == [None, "2024-03-05", "2022-10-31", None]
    assert iso(rows.list_date) == [None] * 4
    assert numbers(rows.market_cap) == [None] * 4
    assert read.faults == {
        3: "name: 5 is not text; delisted_date: 'yesterday' is not a date; active: 'yes' is neither true nor "
        "false"
    }


@pytest.mark.parametrize("media", ["json", "json-seq"])
def test_details_of_one_ticker_are_one_row(media):
    read = parsed("instruments", "details", media=media)
    rows = read.rows
    assert (rows.symbol.tolist(), rows.line.tolist(), read.faults) == (["AAPL"], [1], {})
    assert (rows.sic_code.tolist(), rows.sic_description.tolist()) == (["3571"], ["ELECTRONIC COMPUTERS"])
    assert rows.market_cap.tolist() == [2771126040150.0]
    assert rows.shares_outstanding.tolist() == [16406400000.0]
    assert rows.weighted_shares_outstanding.tolist() == [16334371000.0]
    assert (iso(rows.list_date), iso(rows.delisted_date)) == (["1980-12-12"], [None])
    assert read.source["address"].to_pylist() == ['{"city": "CUPERTINO"}']


def test_events_are_the_symbols_an_instrument_took():
    read = parsed("symbols", "events")
    assert read.rows.symbol.tolist() == ["META", "FB", "", ""]
    assert iso(read.rows.date) == ["2022-06-09", "2012-05-18", None, None]
    assert read.rows.figi.tolist()[:2] == ["BBG000MM2P62"] * 2
    assert read.rows.current.tolist()[:2] == ["META"] * 2
    assert set(read.faults) == {2, 3}
    assert read.faults[2] == "symbol: missing; date: '2011' is not a date"


@pytest.mark.parametrize("dataset", ["splits", "dividends", "instruments", "symbols"])
def test_a_list_without_pages_or_rows_is_empty(dataset):
    empty = Payload("massive", dataset, b"", "json-seq", None, None, NOW, is_whole=False, name="/list")
    assert len(parse(empty).rows) == 0


@pytest.mark.parametrize(
    ("dataset", "content", "what"),
    [
        ("splits", b'{"status":"OK"}', "no JSON text sequence: it begins with"),
        ("splits", b'\x1e{"status":"OK","results":[]}', "cut off: no line feed at its end"),
        ("splits", b"\x1e<html>\n", "an HTML page"),
        ("dividends", b'\x1e{"status":"OK","results":{}}\n', "results that are no list"),
        ("splits", b'\x1e{"status":"OK","results":[],"next_url":5}\n', "a next_url that is no text: 5"),
        ("instruments", b'\x1e{"status":"OK","results":"x"}\n', "neither tickers nor details"),
        ("symbols", b'\x1e{"status":"OK","results":[]}\n', "hold no ticker's events"),
    ],
)
def test_what_is_no_list_is_refused(dataset, content, what):
    payload = Payload("massive", dataset, content, "json-seq", None, None, NOW, is_whole=False, name="/list")
    with pytest.raises(InputError, match="/list: ") as caught:
        parse(payload)
    assert what in str(caught.value)


def test_a_sequence_gives_back_its_texts():
    texts = [b'{"a":\n1}', b"[]", b""]
    joined = json_seq.join(texts)
    assert joined == b'\x1e{"a":\n1}\n\x1e[]\n\x1e\n'
    assert json_seq.divide(joined) == texts
