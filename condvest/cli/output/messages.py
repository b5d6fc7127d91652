"""What commands say on standard error: messages to people, metrics to AWS Batch; and what a log file gets."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from condvest.batch_layer.shared.exit_codes import is_batch
from condvest.batch_layer.shared.utils import logs
from condvest.cli.output import streams
from condvest.cli.output.printable import printable


@dataclass
class Verbosity:
    """How much is said, and where else.

    Attributes:
        is_quiet: whether standard error gets errors and alarms alone.
        is_verbose: whether it gets details, too.
        file: gets everything, each line with its instant; None if there is none.
    """

    is_quiet: bool = False
    is_verbose: bool = False
    file: TextIO | None = None


verbosity = Verbosity()
"""That of this process; the options before the command set it."""


def configure(*, is_quiet: bool, is_verbose: bool, path: Path | None) -> None:
    """Say from now on as much as the options want.

    Raises:
        click.FileError: the log file cannot be opened.
    """
    if verbosity.file is not None:
        verbosity.file.close()
    verbosity.is_quiet, verbosity.is_verbose, verbosity.file = is_quiet, is_verbose, None
    if path is not None:
        try:
            verbosity.file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        except OSError as error:
            raise click.FileError(str(path), hint=error.strerror or str(error)) from error
    listen()


def listen() -> None:
    """Say what our own modules log: a client that waits says why."""
    logger = logging.getLogger("condvest.batch_layer")
    if not any(isinstance(handler, _Messages) for handler in logger.handlers):
        logger.addHandler(_Messages())
    wants_details = verbosity.is_verbose or verbosity.file is not None
    logger.setLevel(logging.DEBUG if wants_details else logging.INFO)


class _Messages(logging.Handler):
    """Turns what our own modules log into messages, and what they log for debugging into details."""

    def emit(self, record: logging.LogRecord) -> None:
        (message if record.levelno >= logging.INFO else detail)(record.getMessage())


def message(text: str, *, is_alarm: bool = False) -> None:
    """Say something on standard error: to people as plain text, to AWS Batch's logs as a line of JSON.

    With ``--quiet`` only what begins with ``error:`` and alarms are said.
    """
    level = "ERROR" if text.startswith("error:") else "WARNING" if is_alarm else "INFO"
    _keep(level, text)
    if verbosity.is_quiet and level == "INFO":
        return
    if is_batch(os.environ):
        text = logs.log_line(os.environ, text, dt.datetime.now(dt.UTC))
    else:
        text = printable(text)
    _say(text)


def detail(text: str) -> None:
    """Say what only ``-v`` wants to know; a log file gets it anyway."""
    _keep("DEBUG", text)
    if verbosity.is_verbose:
        _say(f"{dt.datetime.now().astimezone():%H:%M:%S} {printable(text)}")


def measure(values: Mapping[str, float]) -> None:
    """Leave metrics, named as in `logs.UNITS`, in AWS Batch's logs; people get none."""
    if is_batch(os.environ):
        line = logs.metrics_line(os.environ, values, dt.datetime.now(dt.UTC))
        _say(line)


def _keep(level: str, text: str) -> None:
    if verbosity.file is not None:
        stamp = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        try:
            verbosity.file.write(f"{stamp} {level} {printable(text)}\n")
        except OSError as error:
            # The work itself is not at fault, and goes on.
            verbosity.file = None
            _say(f"error: the log file cannot be written any more ({error.strerror})")


def _say(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201  # messages are the command line's own
    except OSError:
        # Nobody can be told (a full disk, a reader that has gone), and the work itself is not at fault: it
        # goes on, and its exit code says how it ended.
        streams.drop(sys.stderr)
