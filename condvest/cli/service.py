"""What the commands that answer others have in common: where answers come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from condvest.batch_layer.shared.errors import SettingsError, UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.variables import checked_location

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--source",
        type=click.Choice(["database", "published"]),
        default="database",
        show_default=True,
        help="Where answers come from.",
    ),
    click.option(
        "--from",
        "location",
        metavar="DIR|S3",
        help="With --source published: where to read; overrides CONDVEST_PUBLISHED.",
    ),
)


def source_options(command: F) -> F:
    """Add the options that say where answers come from."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def located(settings: Settings, source: str, location: str | None) -> Settings:
    """Return the settings with the place of the published data that ``--from`` names.

    Raises:
        UsageError: there is one, and answers come from the database.
    """
    if location is None:
        return settings
    if source != "published":
        raise UsageError("--from needs --source published")
    return replace(settings, published_at=checked_location("--from", location))


def check_tools() -> None:
    """Insist on the libraries of the tools.

    Raises:
        SettingsError: they are not installed.
    """
    # Imported only to see whether it can be; few commands need it.
    try:
        import condvest.serving_layer.http.tools.server  # noqa: F401, PLC0415
    except ImportError as error:
        raise SettingsError(
            f"tools need the extras `serve` and `mcp`: pip install 'condvest[serve,mcp]' ({error})"
        ) from error
