"""Events that failed for good, in a queue of SQS: read and sent again to the function they were meant for.

Three senders leave messages there: Lambda, when a function failed three times (the event lies in
``requestPayload``); a rule of EventBridge and a schedule, when they could not deliver (the event is the
message, and the attribute TARGET_ARN says to whom).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from condvest.batch_layer.shared.clients.aws_errors import code_of, translated
from condvest.batch_layer.shared.errors import InputError, SettingsError, TransientError

FUNCTIONS = ("-archive-loader", "-daily-ohlcv-fetcher", "-daily-meta-fetcher")
"""What the names of Condvest's functions end with; before it is the deployment's prefix."""

HIDDEN_SECONDS = 120
"""For so long a message that was read is not given to anybody else."""

_FUNCTION = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]+)?"
)
_SUFFIX = "-dead-letters"
_SHOWN_LENGTH = 200


@dataclass(frozen=True)
class DeadLetter:
    """An event that failed.

    Attributes:
        message_id: of the message that holds it.
        function: ARN of the function it was meant for.
        event: the event, as the function gets it.
        reason: why it failed, as its sender says.
    """

    message_id: str
    function: str
    event: Any
    reason: str


def read_dead_letter(message: Mapping[str, Any]) -> DeadLetter:
    """Return the event in a message as SQS gives it; pure.

    Raises:
        InputError: it holds none, or one that was not meant for a function.
    """
    name = str(message.get("MessageId"))
    try:
        body = json.loads(message["Body"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"message {name} holds no JSON: {error}") from error
    given = _object(message, "MessageAttributes")
    attributes = {key: _text(value, "StringValue") for key, value in given.items()}
    if isinstance(body, dict) and "requestPayload" in body:
        target = _text(_object(body, "requestContext"), "functionArn")
        reason = _reason(body.get("responsePayload"))
        event = body["requestPayload"]
    else:
        target = attributes.get("TARGET_ARN", "")
        reason = ": ".join(filter(None, (attributes.get("ERROR_CODE"), attributes.get("ERROR_MESSAGE"))))
        event = body
    if not _FUNCTION.fullmatch(target):
        raise InputError(f"message {name} was meant for {target[:200] or 'nobody'}, which is no function")
    return DeadLetter(name, target, event, reason or "not told")


def check_is_ours(letter: DeadLetter, queue_arn: str) -> None:
    """Raise InputError unless an event is for one of Condvest's functions beside the queue that holds it.

    Whoever can put a message into a queue may name any function in it. Ours have one of the names of
    FUNCTIONS, and are in the queue's own account (Lambda itself takes no ARN of another region); a queue
    called as a function, with ``-dead-letters`` behind, is of that function alone.
    """
    of_queue, of_function = queue_arn.split(":"), letter.function.split(":")
    name, owner = of_function[6], of_queue[5].removesuffix(_SUFFIX)
    is_here = of_function[4] == of_queue[4]
    if not (is_here and name.endswith(FUNCTIONS) and (owner == of_queue[5] or name == owner)):
        raise InputError(
            f"message {letter.message_id} was meant for {letter.function}, which is no function of Condvest "
            f"beside the queue {queue_arn}; nothing was sent, look where the message comes from"
        )


def _reason(response: object) -> str:
    """Return why a function failed: Lambda's own object, or whatever a function answered."""
    if not isinstance(response, dict):
        return "error: not told" if response is None else f"error: {json.dumps(response)[:_SHOWN_LENGTH]}"
    return f"{response.get('errorType', 'error')}: {response.get('errorMessage', 'not told')}"


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _text(value: object, key: str) -> str:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, str) else ""


def replay(sqs: Any, functions: Any, queue: str, *, dry_run: bool) -> Iterator[DeadLetter | InputError]:  # noqa: ANN401  # boto3 has no types
    """Send each event of a queue to its function again, and yield it.

    One that cannot be read, or is for no function of ours (see `check_is_ours`), is refused and stays.

    A message is deleted when Lambda has taken the event: if that fails again, it comes back.

    Args:
        sqs: client of SQS.
        functions: client of Lambda.
        queue: URL of the queue.
        dry_run: send and delete nothing; what was read shows up again at once.

    Raises:
        SettingsError: AWS refuses; the rest of the queue stays.
        TransientError: AWS does not answer, or asks to be left alone for a while; the same.
    """
    failure = f"cannot replay {queue}"
    with translated(failure, unavailable=TransientError, refused=SettingsError, setting="the queue's URL"):
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for message in _messages(sqs, queue):
            try:
                letter = read_dead_letter(message)
                check_is_ours(letter, arn)
            except InputError as error:
                yield error
                continue
            if not dry_run:
                payload = json.dumps(letter.event).encode()
                functions.invoke(FunctionName=letter.function, InvocationType="Event", Payload=payload)
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            yield letter


def _messages(sqs: Any, queue: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # boto3 has no types
    """Yield the messages of a queue, each once; those that are still there can be read again afterwards."""
    seen: dict[str, str] = {}
    try:
        while True:
            got = sqs.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=HIDDEN_SECONDS,
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            fresh = [message for message in got if message["MessageId"] not in seen]
            if not fresh:
                return
            for message in fresh:
                seen[message["MessageId"]] = message["ReceiptHandle"]
                yield message
    finally:
        for handle in seen.values():
            _show_again(sqs, queue, handle)


def _show_again(sqs: Any, queue: str, handle: str) -> None:  # noqa: ANN401  # boto3 has no types
    try:
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    except ClientError as error:
        # Deleted, as it should be: the event is on its way.
        if code_of(error) not in (
            "InvalidParameterValue",
            "ReceiptHandleIsInvalid",
            "MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
        ):
            raise
