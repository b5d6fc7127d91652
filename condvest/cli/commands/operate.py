"""The commands that bring data into the database from a provider: demo, run, backfill, metadata."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click

from condvest.batch_layer.operations import nightly
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.yahoo import read_symbols
from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.cli.commands.bars import show_bars
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import SESSION, json_option
from condvest.cli.output.data import write_json
from condvest.cli.output.endings import (
    advancing,
    finish,
    noting,
    say_load,
    say_stopping,
    say_waiting,
)
from condvest.cli.output.messages import message
from condvest.cli.output.progress import countdown, progress
from condvest.cli.output.status import show_status
from condvest.cli.output.summaries import cost_of, say_loads, say_resampled
from condvest.live.judging import give_verdicts
from condvest.screening import screen_of
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.reports.status import read_status
from condvest.speed_layer.services.settle import settle_all

_FILE = click.Path(path_type=Path)

_NEXT = """
What to try next:
  {condvest} bars AAPL --interval 13 --start 2012-01-01
  {condvest} bars --interval 1 --format csv -o daily.csv
  {condvest} import FILE.csv --splits SPLITS.csv    (your own prices)
  {condvest} plot AAPL -o aapl.svg
  {condvest} status
  {python} -c 'import condvest; print(condvest.bars("IBM", interval=34))'
  {condvest} serve --open    (charts in your browser, at http://127.0.0.1:8400)"""


def _asked(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the provider and the symbols."""
    for option in (
        click.option("--symbols-file", type=_FILE, help="Symbols from a file: one per line, # for comments."),
        click.option(
            "--symbols",
            metavar="A,B,...",
            help="Yahoo only: symbols to fetch. Default: those fetched before.",
        ),
        click.option(
            "--provider",
            type=click.Choice(list(PROVIDERS)),
            help="Provider to ask. Default: CONDVEST_PROVIDER, or sample.",
        ),
    ):
        command = option(command)
    return command


@click.command(short_help="Do the whole job on real prices of five companies.")
@pass_cli
def demo(cli: Cli) -> None:
    """Do the whole job on the sample: real prices of five companies, 2000 to 2013."""
    with cli.workspace() as workspace:
        with progress("sample") as bars:
            report = nightly.run(
                workspace,
                "sample",
                on_wait=say_waiting,
                on_progress=advancing(bars),
                on_stop=say_stopping,
            )
        say_loads(report)
        say_resampled(report)
        question = Question(symbols=["AAPL"], interval=13, end=dt.date(2005, 6, 30))
        table = read_bars(workspace.database, workspace.sessions, question)
        show_bars(
            table.slice(max(len(table) - 8, 0)),
            "AAPL, bars of 13 sessions around its 2-for-1 split of 2005-02-28",
        )
        show_status(read_status(workspace))
    click.echo(_NEXT.format(condvest=_program("condvest"), python=_program("python")))
    sys.exit(report.exit_code)


@click.command(short_help="Do the nightly job: fetch what is missing, load, resample.")
@_asked
@json_option
@pass_cli
def run(
    cli: Cli, provider: str | None, symbols: str | None, symbols_file: Path | None, as_json: bool
) -> None:
    """Do the nightly job: extend the calendar, fetch what is missing, load, resample.

    Run it at any time and as often as you like; without new data it changes nothing.
    """
    asked = _symbols(symbols, symbols_file)
    provider = provider or cli.settings.nightly.provider
    with cli.workspace() as workspace, progress(provider) as bars:
        report = nightly.run(
            workspace,
            provider,
            asked,
            on_wait=say_waiting,
            screen=screen_of(workspace),
            on_load=noting(bars),
            on_progress=advancing(bars),
            on_stop=say_stopping,
            afterwards=lambda: _settle(workspace),
        )
    finish(report, as_json=as_json)


@click.command(short_help="Fetch past sessions that the database lacks.")
@click.option("--start", type=SESSION, required=True, help="First session, inclusive.")
@click.option("--end", type=SESSION, help="Last session, inclusive. Default: the newest closed one.")
@_asked
@click.option(
    "--order",
    type=click.Choice(("newest", "oldest")),
    default="newest",
    show_default=True,
    help="Which sessions to fetch first.",
)
@click.option(
    "--from-files", is_flag=True, help="Fetch Massive's flat files; load those again that Massive replaced."
)
@click.option("--dry-run", is_flag=True, help="Show what it would cost; fetch nothing.")
@json_option
@pass_cli
def backfill(
    cli: Cli,
    start: dt.date,
    end: dt.date | None,
    provider: str | None,
    symbols: str | None,
    symbols_file: Path | None,
    order: str,
    from_files: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fetch the sessions of the past that the database lacks.

    Each session is stored as it arrives: stop at any time, and run the command again to continue.
    """
    asked = _symbols(symbols, symbols_file)
    provider = provider or ("massive" if from_files else cli.settings.nightly.provider)
    with (
        cli.workspace() as workspace,
        workspace.ingest(provider, asked, from_files=from_files, only_cost=dry_run) as ingest,
    ):
        anew = [] if dry_run else ingest.due.republished(start, end)
        sessions = sorted({*ingest.due.missing(start, end), *anew})
        cost = ingest.cost(len(sessions))
        if not as_json:
            message(cost_of(len(sessions), cost))
        elif dry_run:
            write_json({"sessions": len(sessions), **vars(cost), "dry_run": True})
        first = ingest.due.first_covered()
        if start < first:
            message(f"{provider} gives sessions from {first} on: those from {start} to then are left out")
        if dry_run:
            return
        ordered = sessions[::-1] if order == "newest" else sessions
        with countdown(f"backfill of {provider}, in sessions", len(sessions), cost.seconds) as bar:

            def loaded(load: LoadSummary) -> None:
                bar.loaded(load)
                say_load(load)

            report = nightly.backfill(
                workspace,
                ingest,
                ordered,
                screen=screen_of(workspace),
                on_load=loaded,
                on_stop=say_stopping,
            )
    finish(report, as_json=as_json)


@click.command(short_help="Fetch current and past listings and their metadata.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@click.option(
    "--provider",
    type=click.Choice(list(PROVIDERS)),
    default="massive",
    show_default=True,
    help="Provider to ask.",
)
@json_option
@pass_cli
def metadata(cli: Cli, symbols: tuple[str, ...], provider: str, as_json: bool) -> None:
    """Fetch current and past listings, with names, exchanges, FIGIs and dates.

    For each SYMBOL, one more call fetches industry, market value and shares. Condvest keeps delisted
    instruments, and every change of a value with its dates; read them with: condvest instruments.
    """
    with cli.workspace() as workspace, progress(provider) as bars:
        report = nightly.metadata(workspace, provider, symbols, on_load=noting(bars))
    finish(report, as_json=as_json)


COMMANDS = (demo, run, backfill, metadata)


def _program(name: str) -> str:
    """Return how to call a program installed beside ours: by name, or by path if PATH has another or none."""
    ours = Path(sys.argv[0]).with_name(name)
    return name if shutil.which(name) == str(ours.absolute()) else str(ours)


def _settle(workspace: Workspace) -> None:
    """Let the official bars take the place of the live ones, and judge what alert rules said of those."""
    settle_all(workspace.database)
    give_verdicts(workspace)


def _symbols(text: str | None, path: Path | None) -> tuple[str, ...]:
    given = tuple((text or "").replace(",", " ").split())
    return given + (read_symbols(path) if path else ())
