"""The command that resends failed events of AWS: replay."""

from __future__ import annotations

import json
import sys

import click

from condvest.batch_layer.shared import exit_codes
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.dead_letters import DeadLetter
from condvest.batch_layer.shared.clients.dead_letters import replay as replay_letters
from condvest.cli.options import json_option
from condvest.cli.output.data import write_json
from condvest.cli.output.messages import message


@click.command(short_help="Resend failed AWS events to their functions.")
@click.argument("queue", metavar="QUEUE_URL")
@click.option("--dry-run", is_flag=True, help="Show the events; send and delete nothing.")
@json_option
def replay(queue: str, dry_run: bool, as_json: bool) -> None:
    """Resend the events of an SQS dead-letter queue to their functions.

    A message is deleted once its function has accepted the event; it returns if the function fails again. A
    message that cannot be read stays in the queue, and the command exits with 1.
    """
    sent: list[dict[str, object]] = []
    stay: list[str] = []
    letters = replay_letters(aws.client("sqs"), aws.client("lambda"), queue, dry_run=dry_run)
    for letter in letters:
        if not isinstance(letter, DeadLetter):
            stay.append(str(letter))
            message(f"error: {letter}")
            continue
        sent.append({"function": letter.function, "reason": letter.reason, "event": letter.event})
        if not as_json:
            name = letter.function.rpartition(":function:")[2]
            message(f"{name}: {json.dumps(letter.event)[:200]} (failed before: {letter.reason[:200]})")
    if as_json:
        write_json({"events": sent, "unreadable": stay, "dry_run": dry_run})
    else:
        message(f"{len(sent):,} events {'would be sent' if dry_run else 'sent'} again")
    sys.exit(exit_codes.check_code(passed=not stay))


COMMANDS = (replay,)
