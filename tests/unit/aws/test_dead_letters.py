"""What lies in a dead-letter queue: any shape, and any function's name."""

import json
from contextlib import nullcontext

import pytest

from condvest.batch_layer.shared.clients.dead_letters import DeadLetter, check_is_ours, read_dead_letter
from condvest.batch_layer.shared.errors import InputError

LOADER = "arn:aws:lambda:ca-west-1:123456789012:function:condvest-dev-archive-loader"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"responsePayload": "text"}, 'error: "text"'),
        ({"responsePayload": ["a"]}, 'error: ["a"]'),
        ({"responsePayload": None}, "error: not told"),
        ({"responsePayload": {"errorType": "X"}}, "X: not told"),
    ],
)
def test_whatever_a_function_answered_is_its_reason(changes, reason):
    body = {"requestPayload": {"keys": []}, "requestContext": {"functionArn": LOADER}, **changes}
    letter = read_dead_letter({"MessageId": "m", "Body": json.dumps(body)})
    assert (letter.reason, letter.function, letter.event) == (reason, LOADER, {"keys": []})


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"MessageId": "m", "Body": None},
        {"MessageId": "m", "Body": "[" * 100_000},
        {"MessageId": "m", "Body": '{"requestPayload": 1, "requestContext": "text"}'},
        {"MessageId": "m", "Body": '{"requestPayload": 1, "requestContext": {"functionArn": ["a"]}}'},
        {"MessageId": "m", "Body": "{}", "MessageAttributes": {"TARGET_ARN": "text"}},
        {
            "MessageId": "m",
            "Body": "{}",
            "MessageAttributes": {"TARGET_ARN": {"StringValue": "a:function:b"}},
        },
    ],
)
def test_a_message_of_any_shape_is_refused_by_its_name(message):
    with pytest.raises(InputError, match=r"^message (m|None) "):
        read_dead_letter(message)


@pytest.mark.parametrize(
    ("queue_name", "function", "is_ours"),
    [
        ("condvest-dev-archive-loader-dead-letters", LOADER, True),
        ("condvest-dev-archive-loader-dead-letters", LOADER + ":$LATEST", True),
        ("a-queue", LOADER, True),
        ("condvest-prod-archive-loader-dead-letters", LOADER, False),
        ("condvest-dev-daily-meta-fetcher-dead-letters", LOADER, False),
        ("a-queue", LOADER.replace("archive-loader", "billing"), False),
        ("a-queue", LOADER.replace("123456789012", "210987654321"), False),
    ],
)
def test_an_event_goes_to_no_function_but_ours(queue_name, function, is_ours):
    letter = DeadLetter("m", function, {}, "not told")
    refused = nullcontext() if is_ours else pytest.raises(InputError, match="nothing was sent")
    with refused:
        check_is_ours(letter, f"arn:aws:sqs:ca-west-1:123456789012:{queue_name}")
