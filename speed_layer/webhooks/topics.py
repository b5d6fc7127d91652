"""Sends an event to a topic of Amazon SNS, beside webhooks: ``sns:`` and the topic's ARN.

The message is the body that a webhook gets. Its attributes are ``webhook-id`` (the same in each attempt, for
whoever takes each event once), ``type``, ``rule`` and ``symbol``, by which a subscription may filter. SNS
signs what it delivers, so there is no secret of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import PermanentError, TransientError, UsageError
from condvest.speed_layer.webhooks.posting import Outcome

SCHEME = "sns:"

_ARN = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
_LONGEST_SUBJECT = 100


def is_topic(url: str) -> bool:
    """Return whether events go to a topic there, and not to a webhook."""
    return url.startswith(SCHEME)


def checked_topic(text: str) -> str:
    """Return what names a topic as it was given.

    Raises:
        UsageError: it names none, or one of the kind that keeps an order (``.fifo``).
    """
    if not _ARN.fullmatch(text.removeprefix(SCHEME)):
        raise UsageError(
            f"a topic is {SCHEME} and the ARN of a standard topic of SNS, such as "
            f"{SCHEME}arn:aws:sns:ca-west-1:123456789012:condvest-dev-live-alerts; got {text!r}"
        )
    return text


class Topics:
    """Publishes to topics, by the AWS credentials of this process. May be used by several threads at once."""

    def publish(self, url: str, message_id: str, event: Mapping[str, Any], body: bytes) -> Outcome:
        """Publish an event once and return what became of it."""
        from condvest.batch_layer.shared.clients.aws_errors import translated  # noqa: PLC0415  # it imports botocore

        topic = url.removeprefix(SCHEME)
        attributes = {
            "webhook-id": message_id,
            "type": f"alert.{event['state']}",
            "rule": event["rule"],
            "symbol": event["symbol"],
        }
        try:
            with translated(
                f"cannot publish to {topic}",
                unavailable=TransientError,
                refused=PermanentError,
                setting="the topic",
            ):
                aws.client("sns").publish(
                    TopicArn=topic,
                    Subject=_subject(event),
                    Message=body.decode(),
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": str(value)}
                        for name, value in attributes.items()
                        if value
                    },
                )
        except (TransientError, PermanentError) as error:
            return Outcome(None, str(error))
        return Outcome(200)


def _subject(event: Mapping[str, Any]) -> str:
    """Return the subject of mails: ASCII, as SNS wants it."""
    text = f"{event['symbol']} {event['state']}: {event['rule']}"
    return text.encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]
