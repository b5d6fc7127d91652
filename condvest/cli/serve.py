"""The commands that serve answers over HTTP."""

from __future__ import annotations

import datetime as dt
import socket
import webbrowser
from contextlib import suppress
from dataclasses import replace

import click

from batch_layer.shared.errors import SettingsError, UsageError
from batch_layer.shared.variables import checked_location
from condvest.cli import output, screen
from condvest.cli.context import Cli, pass_cli
from serving_layer.access import Keys

_LICENCE = (
    "Vendors' personal plans allow neither business use nor an application that others use: look at the "
    "terms of your plan before you serve its data beyond this machine."
)


@click.command(short_help="Serve answers over HTTP.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8400, show_default=True, help="0 takes a free one."
)
@click.option(
    "--source", type=click.Choice(["database", "published"]), default="database", show_default=True,
    help="Where answers come from.",
)  # fmt: skip
@click.option("--from", "place", metavar="DIR|S3", help="The published data set, before CONDVEST_PUBLISHED.")
@click.option(
    "--host-name", "names", multiple=True, help="A further name that requests may be for; repeatable."
)
@click.option(
    "--allow-origin", "origins", multiple=True, help="A site whose pages may read answers; repeatable."
)
@click.option("--no-keys", is_flag=True, help="Serve beyond this machine without keys.")
@click.option("--open", "opens", is_flag=True, help="Open the API's description in a browser.")
@pass_cli
def serve(
    cli: Cli,
    host: str,
    port: int,
    source: str,
    place: str | None,
    names: tuple[str, ...],
    origins: tuple[str, ...],
    no_keys: bool,
    opens: bool,
) -> None:
    """Serve bars, instruments, actions, gaps and more over HTTP, read only.

    Listens on this machine alone unless --host says otherwise; that takes keys (condvest keys add NAME), or
    --no-keys. Stops on Ctrl-C, after the answers under way.

    Vendors' personal plans allow neither business use nor an application that others use: look at the terms
    of your plan before you serve its data beyond this machine.
    """
    # Imported here: no other command waits for the web server.
    try:
        import uvicorn  # noqa: PLC0415

        from serving_layer.http.app import create_app  # noqa: PLC0415
        from serving_layer.http.backends import DatabaseBackend, PublishedBackend  # noqa: PLC0415
        from serving_layer.http.guards import LOOPBACK, Rules  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            f"serving needs the extra `serve`: pip install 'condvest[serve]' ({error})"
        ) from error

    settings = cli.settings
    if place is not None:
        settings = replace(settings, published_at=checked_location("--from", place))
    keys = Keys.of_home(settings.home)
    is_local = host in ("127.0.0.1", "localhost", "::1")
    has_keys = bool(keys.read())
    if not is_local and not has_keys and not no_keys:
        raise UsageError(
            f"--host {host} would let other machines ask without a key; add one with condvest keys add NAME, "
            "or say --no-keys"
        )
    if not is_local:
        output.message(_LICENCE)
    backend = PublishedBackend(settings) if source == "published" else DatabaseBackend(settings)
    state = backend.state()  # what cannot be read is said now, not at the first question
    listening = _listening(host, port)
    needs_key = has_keys and not no_keys and not is_local
    own = () if is_local or host in ("0.0.0.0", "::") else (host,)  # noqa: S104  # compared, not bound
    rules = Rules((*LOOPBACK, *own, *names), keys if needs_key else None, origins)
    config = uvicorn.Config(
        create_app(backend, rules),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        limit_concurrency=64,
    )
    address = f"http://{host}:{listening.getsockname()[1]}"
    output.message(f"serving {source} {state.version} at {address}/v1/bars?symbol=... (stop with Ctrl-C)")
    if opens:
        webbrowser.open(f"{address}/openapi.json")
    # Once it has shut down, uvicorn raises the signal that stopped it again: this is how serving ends.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
    output.message("stopped")


@click.group()
def keys() -> None:
    """Keys of those who may ask `condvest serve` from other machines."""


@keys.command()
@click.argument("name")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="Last day on which it is good.")
@pass_cli
def add(cli: Cli, name: str, expires: dt.datetime | None) -> None:
    """Make a key and print it; it is shown this once."""
    key = Keys.of_home(cli.settings.home).add(
        name, dt.datetime.now(dt.UTC), expires.date() if expires else None
    )
    click.echo(key)


@keys.command("list")
@pass_cli
def list_(cli: Cli) -> None:
    """List the keys by name; their texts are not kept."""
    rows = [
        (name, each["added"], each["expires"])
        for name, each in Keys.of_home(cli.settings.home).read().items()
    ]
    screen.table(("name", "added", "expires"), rows)


@keys.command()
@click.argument("name")
@pass_cli
def remove(cli: Cli, name: str) -> None:
    """Forget a key: from now on it is refused."""
    Keys.of_home(cli.settings.home).remove(name)


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        SettingsError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from error
    return made
