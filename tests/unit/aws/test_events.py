"""Which events the functions take, and how they say that they do not take one."""

import datetime as dt
import json
from pathlib import Path

import pytest

from condvest.batch_layer.fetching.lambda_functions.events import (
    KeysEvent,
    ObjectEvent,
    QueueEvent,
    RangeEvent,
    ScheduleEvent,
    SessionsEvent,
    fetch_event,
    load_event,
    message_event,
)
from condvest.batch_layer.shared.errors import InputError

EVENTS = Path(__file__).parents[2] / "events"


def stored(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


def test_the_schedule_gives_its_name_and_instant_as_what_all_is_marked_with():
    event = fetch_event(stored("schedule"))
    assert isinstance(event, ScheduleEvent)
    assert event.correlation_id == "ohlcv_after_close/2024-06-03T21:15:00Z"


def test_sessions_and_ranges_of_a_person():
    event = fetch_event({"sessions": ["2024-05-31", "2024-05-30"]})
    assert isinstance(event, SessionsEvent)
    assert event.sessions == (dt.date(2024, 5, 31), dt.date(2024, 5, 30))
    event = fetch_event({"start": "2024-05-01", "end": "2024-05-31", "symbols": ["AAPL"]})
    assert isinstance(event, RangeEvent)
    assert (event.start, event.end, event.symbols) == (dt.date(2024, 5, 1), dt.date(2024, 5, 31), ("AAPL",))


def test_an_object_of_s3_as_eventbridge_tells_of_it():
    event = load_event(stored("s3_object_created"))
    assert isinstance(event, ObjectEvent)
    assert event.detail.bucket.name == "condvest-archive"
    assert event.detail.object.key.startswith("archive/massive/daily_bars/2024-05-31/")


def test_a_batch_of_a_queue_and_the_event_in_its_message():
    batch = stored("sqs_batch")
    batch["Records"][0]["body"] = json.dumps({"keys": ["massive/daily_bars/2024-05-31/x.json"]})
    event = load_event(batch)
    assert isinstance(event, QueueEvent)
    inner = message_event(event.records[0])
    assert isinstance(inner, KeysEvent)
    assert inner.keys == ("massive/daily_bars/2024-05-31/x.json",)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (None, "null"),
        ([], "no event for this function"),
        ("2024-05-31", "no event for this function"),
        ({}, "no event for this function"),
        ({"session": ["2024-05-31"]}, "it takes"),
        ({"sessions": []}, "sessions: Tuple should have at least 1 item"),
        ({"sessions": ["2024-02-30"]}, "sessions.0: "),
        ({"sessions": ["yesterday"]}, "sessions.0: "),
        ({"sessions": "2024-05-31"}, "sessions: "),
        ({"sessions": ["2024-05-31"], "symbol": "AAPL"}, "symbol: Extra inputs are not permitted"),
        ({"start": "2024-05-31"}, "end: Field required"),
        ({"start": "2024-05-31", "end": "2024-05-01"}, "start 2024-05-31 lies after end 2024-05-01"),
        ({"schedule": ""}, "schedule: "),
        ({"sessions": ["2024-05-31"], "correlation_id": "a\nb"}, "correlation_id: "),
    ],
)
def test_what_a_fetcher_cannot_use_is_refused_with_what_it_takes(event, said):
    with pytest.raises(InputError) as refused:
        fetch_event(event)
    assert said in str(refused.value)
    assert '{"sessions": ["2024-05-31"]}' in str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": "aws.ec2"}, "source: "),
        ({"detail-type": "Object Deleted"}, "detail-type: "),
        ({"detail": {}}, "detail.bucket: Field required"),
        ({"detail": {"bucket": {"name": "b"}, "object": {"key": ""}}}, "detail.object.key: "),
        ({"detail": "x" * 10_000}, "detail: "),
    ],
)
def test_a_foreign_event_is_refused_by_the_loader(change, said):
    with pytest.raises(InputError) as refused:
        load_event(stored("s3_object_created") | change)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize("body", ["", "no JSON", "{}", "[]"])
def test_a_message_that_holds_no_event_is_named(body):
    batch = stored("sqs_batch")
    batch["Records"][0]["body"] = body
    with pytest.raises(InputError):
        message_event(load_event(batch).records[0])


def test_a_batch_in_a_batch_is_refused():
    batch = stored("sqs_batch")
    batch["Records"][0]["body"] = json.dumps(stored("sqs_batch"))
    with pytest.raises(InputError, match="holds a QueueEvent: expected an object or keys"):
        message_event(load_event(batch).records[0])
