"""The command that language models call."""

from __future__ import annotations

import click

from condvest.cli.context import Cli, pass_cli
from condvest.cli.service import check_tools, located, source_options


@click.command(short_help="Answer a language model's calls.")
@source_options
@click.option("--sql", "has_sql", is_flag=True, help="Add the tool query: SQL over the published version.")
@pass_cli
def mcp(cli: Cli, source: str, location: str | None, has_sql: bool) -> None:
    """Answer the Model Context Protocol on standard input and output, for a program that starts this one.

    Its tools find instruments, give bars and corporate actions, screen the market, and tell how a bar came to
    be and how complete the data are. All of them only read, and every answer is short enough for a
    conversation. condvest serve --mcp answers the same over HTTP.
    """
    check_tools()
    # Imported here: no other command waits for what a server needs.
    from condvest.serving_layer.http.backends.backend import backend_of  # noqa: PLC0415
    from condvest.serving_layer.http.service import Service  # noqa: PLC0415
    from condvest.serving_layer.http.tools.stdio import answer  # noqa: PLC0415
    from condvest.serving_layer.sql.process import SqlProcess  # noqa: PLC0415

    settings = located(cli.settings, source, location)
    sql = SqlProcess(settings.published) if has_sql else None
    backend = backend_of(settings, source)
    service = Service(backend, sql)
    try:
        backend.state()  # what cannot be read is said now, not at the first call
        answer(service)
    finally:
        service.close()


COMMANDS = (mcp,)
