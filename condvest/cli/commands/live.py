"""The commands of the session under way: live run, status, compare, replay."""

from __future__ import annotations

import datetime as dt
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import click
import pyarrow as pa

from condvest.batch_layer.shared import exit_codes
from condvest.batch_layer.shared.errors import TransientError
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import SESSION, format_option, json_option, output_option, symbol_list
from condvest.cli.output.data import write_json
from condvest.cli.output.destination import Format
from condvest.cli.output.messages import measure, message
from condvest.cli.output.printable import printable
from condvest.cli.output.tables import show_table
from condvest.live.judging import give_verdicts
from condvest.speed_layer.services.run import Span
from condvest.speed_layer.services.settle import settle_all
from condvest.speed_layer.stores.runs import last_run
from condvest.speed_layer.stores.settlements import settlements

_FIGURES = pa.schema(
    [
        ("session", pa.date32()),
        ("phase", pa.string()),
        ("field", pa.string()),
        ("compared", pa.int32()),
        ("equal", pa.int32()),
        ("median", pa.float64()),
        ("p99", pa.float64()),
        ("largest", pa.float64()),
        ("only_live", pa.int32()),
        ("only_official", pa.int32()),
        ("differing", pa.int32()),
    ]
)


@click.group(short_help="Follow the session under way.")
def live() -> None:
    """Follow the session under way, and hold it against the official bars afterwards."""


@live.command(short_help="Collect the session of today.")
@click.option(
    "--feed",
    type=click.Choice(("poll", "stream", "yahoo")),
    default="poll",
    show_default=True,
    help="Massive's snapshots of the whole market; its stream, anchored by snapshots; or Yahoo's stream.",
)
@click.option("--symbols", help="Of --feed yahoo, comma-separated. Default: those of condvest watch.")
@click.option(
    "--interval",
    type=click.FloatRange(5, 900),
    callback=lambda _context, _option, value: _finite(value),
    default=60,
    show_default=True,
    help="Seconds from one snapshot to the next.",
)
@click.option(
    "--hours",
    type=click.Choice(("extended", "regular")),
    default="extended",
    show_default=True,
    help="End with the late trades, or 50 minutes after the close.",
)
@click.option("--publish", "publishes", is_flag=True, help="Publish the live rows, too, about once a minute.")
@click.option("--once", is_flag=True, help="Take one snapshot and end.")
@click.option("--sink", metavar="nats://HOST:PORT", help="Publish the running bars there, too.")
@json_option
@pass_cli
def run(
    cli: Cli,
    feed: str,
    symbols: str | None,
    interval: float,
    hours: Span,
    publishes: bool,
    once: bool,
    sink: str | None,
    as_json: bool,
) -> None:
    """Collect the session of today until its trades have ended; on other dates say so and end.

    First compares the sessions that have become official since. One collector per database: a second one ends
    at once. Needs MASSIVE_API_KEY and a plan with snapshots, and for the stream one with websockets. Yahoo
    needs no key and gives up to 200 symbols.
    """
    from condvest.live.collecting import collecting  # noqa: PLC0415  # the vendor's client
    from condvest.live.delivering import delivering  # noqa: PLC0415  # another HTTP client
    from condvest.live.sinking import sinking  # noqa: PLC0415  # an extra

    with (
        cli.workspace() as workspace,
        collecting(
            workspace,
            message,
            feed=feed,
            symbols=symbol_list(symbols) or (),
            publishes=publishes,
            measure=measure,
        ) as job,
        delivering(workspace, message),
        sinking(workspace, sink, message),
    ):
        ending = job.run(interval=interval, once=once, hours=hours)
    if as_json:
        write_json({"reason": ending.reason, "snapshots": ending.taken, "refused_snapshots": ending.refused})
    else:
        message(ending.reason)
    sys.exit(ending.exit_code)


@live.command(short_help="Show how far the collector has got.")
@json_option
@pass_cli
def status(cli: Cli, as_json: bool) -> None:
    """Show the newest run: its session and phase, up to when its data are, their delay, what was missed."""
    with (
        cli.workspace(may_create=False) as workspace,
        workspace.database.transaction(read_only=True) as connection,
    ):
        newest = last_run(connection)
    if as_json:
        write_json(newest or {"run_id": None})
    elif newest is None:
        message("nothing has been collected; condvest live run does, condvest live replay shows how")
    else:
        for name, value in newest.items():
            click.echo(printable(f"{name:13} {'' if value is None else value}"))


@live.command(short_help="Show how far live bars were from the official ones.")
@click.option("--session", type=SESSION, help="Of this session. Default: the newest that is settled.")
@format_option
@output_option
@pass_cli
def compare(cli: Cli, session: dt.date | None, shape: Format | None, path: Path | None) -> None:
    """Show how far the live rows of a session were from its official bars, as relative differences.

    Compares first what has become official since. Phase is the one in which each live row ended.
    """
    with cli.workspace(may_create=False) as workspace:
        settle_all(workspace.database)
        give_verdicts(workspace)
        ordinal = None if session is None else workspace.sessions.ordinal(session)
        with workspace.database.transaction(read_only=True) as connection:
            figures = settlements(connection, ordinal)
    show_table(pa.Table.from_pylist(figures, schema=_FIGURES), shape, path)


@live.command(short_help="Show the minute bars that came of a session.")
@click.option("--session", type=SESSION, required=True, help="Of this session.")
@format_option
@output_option
@pass_cli
def minutes(cli: Cli, session: dt.date, shape: Format | None, path: Path | None) -> None:
    """Show the minute bars that the stream gave of a session, from the journal that keeps them for a while.

    Of a minute that came several times the last counts.
    """
    from condvest.live.replaying import minutes as minutes_of  # noqa: PLC0415  # few ask

    with cli.workspace(may_create=False) as workspace:
        table = minutes_of(workspace, session)
    show_table(table, shape, path)


@live.command(short_help="Replay a session: the sample's, or one that was collected.")
@click.option("--session", type=SESSION, help="Replay the journal of this session, and check the live rows.")
@json_option
@pass_cli
def replay(cli: Cli, session: dt.date | None, as_json: bool) -> None:
    """Replay a session of the sample, without a key and without an open market, in a database of its own.

    With --session: replay the snapshots that were collected, and say whether they come to the stored rows.
    """
    if session is None:
        from condvest.live.demo import demonstrate  # noqa: PLC0415  # it fills a database of its own

        demonstrate(message, click.echo)
        return
    from condvest.live.replaying import replayed  # noqa: PLC0415  # few replay

    with cli.workspace(may_create=False) as workspace:
        outcome: dict[str, Any] = replayed(workspace, session)
    if as_json:
        write_json(outcome)
    else:
        click.echo(printable("\n".join(f"{name:18} {value}" for name, value in outcome.items())))
    sys.exit(exit_codes.check_code(passed=not outcome["differing"]))


@live.command(short_help="Follow what a collector publishes.")
@click.option("--source", metavar="nats://HOST:PORT", required=True, help="The server that it publishes to.")
@click.option("--symbols", help="Only these, comma-separated.")
@click.option("--once", is_flag=True, help="Print what is known now and end.")
def follow(source: str, symbols: str | None, once: bool) -> None:
    """Print the running daily bars that `condvest live run --sink` publishes, a JSON object a line, for ever.

    Needs no database. Each line says whether all is known: no gap is open, and the feed does not stand still.
    A server that is away is asked again, but with --once.
    """
    from condvest.live.sinking import follow as following  # noqa: PLC0415  # an extra

    say: Callable[[str], None] = message
    if once:
        say = _fail
    for rows, known in following(source, symbol_list(symbols) or (), say=say):
        for row in rows:
            click.echo(json.dumps({**row, "is_whole": known.is_whole}))
        sys.stdout.flush()
        if once and not rows and known.head is not None:
            return


def _finite(seconds: float) -> float:
    """Return seconds as they were given; no number at all is within every range of click's."""
    if math.isnan(seconds):
        raise click.BadParameter("nan is no number of seconds")
    return seconds


def _fail(words: str) -> Never:
    raise TransientError(words)


COMMANDS = (live,)
