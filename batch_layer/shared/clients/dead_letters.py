"""Events that failed for good, in a queue of SQS: read and sent again to the function they were meant for.

Three senders leave messages there: Lambda, when a function failed three times (the event lies in
``requestPayload``); a rule of EventBridge and a schedule, when they could not deliver (the event is the
message, and the attribute TARGET_ARN says to whom).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from batch_layer.shared.errors import InputError, SettingsError

HIDDEN_SECONDS = 120
"""For so long a message that was read is not given to anybody else."""

_FUNCTION = ":function:"


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
    name = message["MessageId"]
    try:
        body = json.loads(message["Body"])
    except ValueError as error:
        raise InputError(f"message {name} holds no JSON: {error}") from error
    attributes = {
        key: str(value.get("StringValue", "")) for key, value in message.get("MessageAttributes", {}).items()
    }
    if isinstance(body, dict) and "requestPayload" in body:
        target = str(body.get("requestContext", {}).get("functionArn", ""))
        response = body.get("responsePayload") or {}
        reason = f"{response.get('errorType', 'error')}: {response.get('errorMessage', 'not told')}"
        event = body["requestPayload"]
    else:
        target = attributes.get("TARGET_ARN", "")
        reason = ": ".join(filter(None, (attributes.get("ERROR_CODE"), attributes.get("ERROR_MESSAGE"))))
        event = body
    if _FUNCTION not in target:
        raise InputError(f"message {name} was meant for {target or 'nobody'}, which is no function")
    return DeadLetter(name, target, event, reason or "not told")


def replay(sqs: Any, functions: Any, queue: str, *, dry_run: bool) -> Iterator[DeadLetter | InputError]:  # noqa: ANN401  # boto3 has no types
    """Send each event of a queue to its function again, and yield it; one that cannot be read stays.

    A message is deleted when Lambda has taken the event: if that fails again, it comes back.

    Args:
        sqs: client of SQS.
        functions: client of Lambda.
        queue: URL of the queue.
        dry_run: send and delete nothing; what was read shows up again at once.

    Raises:
        SettingsError: AWS refuses, or does not answer; the rest of the queue stays.
    """
    try:
        for message in _messages(sqs, queue):
            try:
                letter = read_dead_letter(message)
            except InputError as error:
                yield error
                continue
            if not dry_run:
                payload = json.dumps(letter.event).encode()
                functions.invoke(FunctionName=letter.function, InvocationType="Event", Payload=payload)
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            yield letter
    except (ClientError, BotoCoreError) as error:
        raise SettingsError(f"cannot replay {queue}: {error}") from error


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
        if error.response["Error"]["Code"] not in (
            "InvalidParameterValue",
            "ReceiptHandleIsInvalid",
            "MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
        ):
            raise
