"""The places of payloads in the archive ascend as they were loaded, whatever the clock said."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.fetching.loading.ordering import LastLoad, known_from, placed_after
from condvest.batch_layer.shared.clients.archive import describe, key_of, order_instant_of, restore
from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive
from tests.support.payloads import FETCHED, bars_payload

instants = st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2060, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001


@given(st.lists(st.tuples(instants, st.booleans()), min_size=2, max_size=8))
def test_places_ascend_whatever_the_clock_said(loads):
    """Also of payloads of which no load is recorded, as long as the clock goes on from one to the next."""
    last, places = None, []
    for fetched_at, is_recorded in loads:
        payload = placed_after(bars_payload([], fetched_at=fetched_at), last)
        assert abs(payload.fetched_at - fetched_at) <= dt.timedelta(hours=1, microseconds=1)
        assert not places or payload.order_instant > places[-1]
        if is_recorded:
            last = LastLoad.then(payload, payload.fetched_at, last)
            places.append(payload.order_instant)


def test_a_payload_without_a_load_keeps_its_place_among_those_that_follow_a_wrong_clock():
    """The first was fetched by a clock two years ahead; of the third no load is recorded."""
    last = LastLoad.then(bars_payload([], fetched_at=FETCHED + dt.timedelta(730)), FETCHED, None)
    second = placed_after(bars_payload([], fetched_at=FETCHED), last)
    last = LastLoad.then(second, FETCHED, last)
    third, fourth = (
        placed_after(bars_payload([], fetched_at=FETCHED + dt.timedelta(days)), last) for days in (1, 2)
    )
    assert FETCHED + dt.timedelta(730) < second.order_instant < third.order_instant < fourth.order_instant
    assert (second.fetched_at, third.fetched_at) == (FETCHED, FETCHED + dt.timedelta(1))
    assert known_from(third, last) == FETCHED + dt.timedelta(1)


def test_a_sound_clock_moves_nothing_and_changes_no_description():
    payload = bars_payload([], fetched_at=FETCHED + dt.timedelta(seconds=1))
    last = LastLoad.then(bars_payload([]), FETCHED, None)
    assert placed_after(payload, last) is payload
    assert b"ordered_at" not in describe(payload)


def test_a_place_of_its_own_is_kept_in_the_archive(tmp_path):
    order_instant = FETCHED + dt.timedelta(730)
    payload = replace(bars_payload([]), ordered_at=order_instant)
    archive = DirectoryArchive(tmp_path)
    key = archive.keep(payload)
    assert order_instant_of(key) == order_instant
    back = archive.read(key)
    assert (back.fetched_at, back.ordered_at, key_of(back)) == (FETCHED, order_instant, key)


@pytest.mark.parametrize("key", ["", "file/daily_bars/all/x-0123456789abcdef.csv", "20240603T120000"])
def test_a_key_without_an_instant_has_no_place(key):
    assert order_instant_of(key) is None


def test_a_description_of_an_earlier_version_has_the_place_of_its_fetch():
    payload = bars_payload([])
    restored = restore(key_of(payload), payload.content, describe(payload))
    assert (restored.ordered_at, restored.order_instant) == (None, FETCHED)
