"""What every command gets: the settings, and how it opens the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from batch_layer.operations.workspace import Workspace, open_workspace
from batch_layer.shared.settings import Settings


@dataclass(frozen=True)
class Cli:
    """The settings of one call of the command line."""

    settings: Settings

    @classmethod
    def of(cls, environ: Mapping[str, str], *, database_url: str | None, home: str | None) -> Cli:
        """Read the settings from the environment, options first."""
        given = {"CONDVEST_DATABASE_URL": database_url, "CONDVEST_HOME": home}
        return cls(Settings.from_env({**environ, **{name: value for name, value in given.items() if value}}))

    @contextmanager
    def workspace(self, *, may_create: bool = True) -> Iterator[Workspace]:
        """Open the database."""
        with open_workspace(self.settings, may_create=may_create) as workspace:
            yield workspace


pass_cli = click.make_pass_decorator(Cli)

json_option: Callable[..., Any] = click.option(
    "--json", "as_json", is_flag=True, help="Report as one JSON object on standard output."
)
