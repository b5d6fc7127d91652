"""The commands that serve answers over HTTP."""

from __future__ import annotations

import datetime as dt
import socket
import webbrowser
from contextlib import closing, suppress

import click

from condvest.batch_layer.shared.errors import SettingsError, UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.cli.context import Cli, pass_cli
from condvest.cli.output import screen
from condvest.cli.output.messages import message
from condvest.cli.service import check_tools, located, source_options
from condvest.serving_layer.access import Keys

_LICENCE = (
    "Vendors' personal plans allow neither business use nor an application that others use: look at the "
    "terms of your plan before you serve its data beyond this machine."
)


@click.command(short_help="Serve answers over HTTP.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8400,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@source_options
@click.option(
    "--host-name", "names", multiple=True, help="Another host name that requests may use; repeatable."
)
@click.option(
    "--allow-origin", "origins", multiple=True, help="Web origin whose pages may read answers; repeatable."
)
@click.option("--no-keys", is_flag=True, help="Serve beyond this machine without keys.")
@click.option(
    "--per-minute",
    type=click.IntRange(1),
    help="Requests per minute that a key may make; no bound if left out.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that answer; each counts the requests of a key by itself.",
)
@click.option("--sql", "has_sql", is_flag=True, help="Answer SQL over the published version at /v1/sql, too.")
@click.option("--mcp", "has_tools", is_flag=True, help="Answer the Model Context Protocol at /mcp, too.")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@pass_cli
def serve(
    cli: Cli,
    host: str,
    port: int,
    source: str,
    location: str | None,
    names: tuple[str, ...],
    origins: tuple[str, ...],
    no_keys: bool,
    per_minute: int | None,
    workers: int,
    has_sql: bool,
    has_tools: bool,
    opens: bool,
) -> None:
    """Serve a page with charts, and bars, instruments, actions, gaps and more over HTTP, read only.

    The server listens on this machine only, unless --host says otherwise. To serve other machines, by --host
    or by --host-name (behind a proxy), make API keys (condvest keys add NAME) or pass --no-keys. Ctrl-C stops
    the server once it has sent the answers under way. Each option can also be set by a variable,
    CONDVEST_SERVE_PORT for --port; those that are repeatable take several values with spaces between them.

    Vendors' personal plans allow neither business use nor applications for others: read your plan's terms
    before you serve its data to other machines.
    """
    # Imported here: no other command waits for the web server.
    try:
        from condvest.serving_layer.http.guarding.guards import Rules  # noqa: PLC0415
        from condvest.serving_layer.http.guarding.hosts import LOOPBACK  # noqa: PLC0415
        from condvest.serving_layer.http.workers import Serving, serve_by_workers  # noqa: PLC0415
        from condvest.serving_layer.sql.process import SqlProcess  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            f"serving needs the extra `serve`: pip install 'condvest[serve]' ({error})"
        ) from error

    settings = located(cli.settings, source, location)
    is_local = host in ("127.0.0.1", "localhost", "::1")
    is_beyond = not is_local or bool(names)  # a further name is a proxy's, at which others ask
    asks_by = f"--host-name {names[0]}" if is_local and names else f"--host {host}"
    keys = _keys_for(settings, asks_by) if is_beyond and not no_keys else None
    if is_beyond:
        message(_LICENCE)
    if has_tools:
        check_tools()
    if has_sql:
        SqlProcess(settings.published)  # insists on its library; each process has one of its own
    shown = _bracketed(host)
    own = () if is_local or host in ("0.0.0.0", "::") else (shown,)  # noqa: S104  # compared, not bound
    rules = Rules((*LOOPBACK, *own, *names), keys, origins, per_minute)
    serving = Serving(settings, source, rules, has_sql, has_tools)
    backend = serving.backend()
    state = backend.state()  # what cannot be read is said now, not at the first question
    listening = _listening(host, port)
    address = f"http://{shown}:{listening.getsockname()[1]}"
    by = f", {workers} workers" if workers > 1 else ""
    message(f"serving {source} {state.version} at {address} (page, /v1{by}; stop with Ctrl-C)")
    if opens:
        webbrowser.open(address)
    if workers == 1:
        serving.run(listening, backend)
    else:
        with closing(backend), suppress(KeyboardInterrupt):
            serve_by_workers(serving, listening, workers, message)
    message("stopped")


for each in serve.params:  # --host-name by CONDVEST_SERVE_HOST_NAME
    if isinstance(each, click.Option):
        each.envvar = "CONDVEST_SERVE_" + each.opts[0].removeprefix("--").replace("-", "_").upper()
        each.show_envvar = True


def _keys_for(settings: Settings, asks_by: str) -> Keys:
    """Return the keys of a server that other machines reach.

    Raises:
        UsageError: there are none, so everybody could ask.
    """
    keys = Keys.of_home(settings.home)
    if not keys.read():
        raise UsageError(
            f"{asks_by} would let other machines ask without a key; add one with condvest keys add NAME, "
            "or say --no-keys"
        )
    return keys


@click.group()
def keys() -> None:
    """Manage the API keys of `condvest serve`."""


@keys.command()
@click.argument("name")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="Last date on which the key works.")
@click.option(
    "--per-minute", type=click.IntRange(1), help="Requests per minute; as the server says if left out."
)
@pass_cli
def add(cli: Cli, name: str, expires: dt.datetime | None, per_minute: int | None) -> None:
    """Make a key and print it. Condvest does not show it again."""
    key = Keys.of_home(cli.settings.home).add(
        name, dt.datetime.now(dt.UTC), expires.date() if expires else None, per_minute
    )
    click.echo(key)


@keys.command("list")
@pass_cli
def list_(cli: Cli) -> None:
    """List the keys by name; Condvest stores only their digests."""
    rows = [
        (name, each["added"], each["expires"], each.get("per_minute", ""))
        for name, each in Keys.of_home(cli.settings.home).read().items()
    ]
    screen.table(("name", "added", "expires", "per minute"), rows)


@keys.command()
@click.argument("name")
@pass_cli
def remove(cli: Cli, name: str) -> None:
    """Forget a key: from now on it is refused."""
    Keys.of_home(cli.settings.home).remove(name)


def _bracketed(host: str) -> str:
    """Return a host as it stands in a URL: an address of IPv6 in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


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
        made.listen()  # from here on a browser that is opened waits to be answered, and is not refused
    except OSError as error:
        made.close()
        raise SettingsError(
            f"cannot listen on {_bracketed(host)}:{port}: {error.strerror}; choose another --port"
        ) from error
    return made


COMMANDS = (serve, keys)
