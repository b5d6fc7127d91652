"""What every command gets: the settings, and how it opens the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from condvest.batch_layer.shared.settings import Settings

if TYPE_CHECKING:
    from condvest.batch_layer.operations.workspace import Workspace


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
        # Imported here: reading bars needs nothing of what fetches, loads and resamples.
        from condvest.batch_layer.operations.workspace import open_workspace  # noqa: PLC0415
        from condvest.cli.output.messages import listen, message  # noqa: PLC0415

        listen()
        with open_workspace(self.settings, may_create=may_create) as workspace:
            workspace.database.on_wait = message
            yield workspace


pass_cli = click.make_pass_decorator(Cli)
