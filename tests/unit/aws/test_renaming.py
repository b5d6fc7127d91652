"""Whose renames a function that knows no database asks for."""

import datetime as dt
import json
from dataclasses import replace

import pytest

from condvest.batch_layer.fetching.lambda_functions.renaming import to_ask_about
from condvest.batch_layer.shared.clients.archive import key_of
from condvest.batch_layer.shared.clients.massive import json_seq
from condvest.batch_layer.shared.models.given.payloads import Payload

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)


def reference(days_ago, *tickers, is_whole=True):
    """A list of tickers as it was so long ago, each (symbol, FIGI or None, whether it is listed)."""
    results = [
        {"ticker": symbol, "active": active} | ({"composite_figi": figi} if figi else {})
        for symbol, figi, active in tickers
    ]
    body = json.dumps({"status": "OK", "request_id": "r", "results": results}).encode()
    return Payload(
        provider="massive",
        dataset="instruments",
        content=json_seq.join([body]),
        media="json-seq",
        first_session=None,
        last_session=None,
        fetched_at=NOW - dt.timedelta(days=days_ago),
        is_whole=is_whole,
        name="/v3/reference/tickers",
    )


class Kept:
    """An archive of what is given, which counts what is read."""

    def __init__(self, *payloads):
        self._payloads = {key_of(one): one for one in payloads}
        self.read_keys = []

    def keys_below(self, folder):
        return iter(sorted(key for key in self._payloads if key.startswith(folder)))

    def read(self, key):
        self.read_keys.append(key)
        return self._payloads[key]


FB, META, OLD = ("FB", "F1", True), ("META", "F1", True), ("OLD", "F2", True)
PRESENT = reference(0, META, OLD, ("NEWC", "F3", True), ("NOID", None, True), ("GONE", "F4", False))


def test_they_are_the_renamed_and_the_new_that_are_listed():
    """F1 has another symbol, F3 and NOID are new, F2 is as it was, GONE is no longer listed."""
    archive = Kept(reference(20, FB, OLD), PRESENT)
    assert sorted(to_ask_about(archive, PRESENT)) == ["F1", "F3", "NOID"]


def test_the_present_is_held_against_the_newest_reference_of_two_weeks_ago():
    """The one of 40 days ago and that of yesterday are not read, nor do details count as a reference."""
    asked = Kept(
        reference(40, OLD),
        reference(20, META, OLD, ("NEWC", "F3", True)),
        reference(15, FB, is_whole=False),
        reference(1, FB, OLD),
        PRESENT,
    )
    assert to_ask_about(asked, PRESENT) == ["NOID"]
    assert len(asked.read_keys) == 2


def test_of_a_younger_archive_the_oldest_reference_counts():
    archive = Kept(reference(5, FB, OLD), reference(1, META, OLD), PRESENT)
    assert sorted(to_ask_about(archive, PRESENT)) == ["F1", "F3", "NOID"]


@pytest.mark.parametrize("others", [(), (reference(20, FB, is_whole=False),)])
def test_without_an_earlier_reference_nobody_is_new(others):
    assert to_ask_about(Kept(PRESENT, *others), PRESENT) == []


def test_the_order_changes_from_day_to_day():
    """Who may ask for few asks for all in time."""
    many = [(f"S{number}", f"F{number}", True) for number in range(50)]
    present = reference(0, *many)
    archive = Kept(reference(20, OLD), present)
    orders = {
        tuple(to_ask_about(archive, replace(present, fetched_at=NOW + dt.timedelta(days=days)))[:5])
        for days in range(4)
    }
    assert len(orders) == 4
