"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from condvest.batch_layer.shared.errors import UsageError
from condvest.cli.output.destination import FORMATS
from condvest.serving_layer.queries.bars.question import as_instant


class _SessionType(click.ParamType[dt.date]):
    name = "date"

    # Any is click's own type of a value.
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:  # noqa: ANN401
        """Read an ISO date."""
        try:
            return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a date such as 2024-07-31, got {value!r}", param, ctx)


SESSION = _SessionType()
"""The type of an option that holds a date."""


class _InstantType(click.ParamType[dt.datetime]):
    name = "instant"

    # Any is click's own type of a value.
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:  # noqa: ANN401
        """Read an ISO instant; a date stands for its last microsecond, a time without a zone is UTC."""
        try:
            return as_instant(value, dt.UTC)
        except UsageError as error:
            self.fail(str(error), param, ctx)


INSTANT = _InstantType()
"""The type of an option that holds an instant."""


class _WholeNumber(click.ParamType[int]):
    name = "integer"

    # Any is click's own type of a value.
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """Read a number of sessions."""
        try:
            return int(value)
        except ValueError:
            self.fail(f"expected a number of sessions, 1 for daily bars, got {value!r}", param, ctx)


WHOLE = _WholeNumber()
"""The type of an option that holds a number of sessions."""


def _file_or_output(_: click.Context, __: click.Parameter, name: str | None) -> Path | None:
    """Return the file to write, None for standard output, which ``-`` names as well; ``./-`` is a file."""
    return None if name is None or name == "-" else Path(name)


format_option = click.option(
    "--format",
    "shape",
    type=click.Choice(FORMATS),
    help="How to write the answer. Default: the file's suffix, or a table.",
)
output_option = click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(allow_dash=True),
    callback=_file_or_output,
    help="Write to a file; .csv, .json or .parquet names the format, .gz compresses.",
)

json_option: Callable[..., Any] = click.option(
    "--json", "as_json", is_flag=True, help="Report as one JSON object on standard output."
)


def named_symbols(given: Sequence[str]) -> list[str] | None:
    """Return the symbols of arguments, each one or several with commas between; None if there are none."""
    return [symbol for text in given for symbol in text.split(",") if symbol] or None


def symbol_list(text: str | None) -> tuple[str, ...] | None:
    """Return comma-separated symbols, each once; raises UsageError where one is empty."""
    if text is None:
        return None
    if not all(text.split(",")):
        raise UsageError(f"--symbols {text!r}: a name between the commas is empty")
    return tuple(dict.fromkeys(text.split(",")))
