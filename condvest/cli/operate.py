"""The commands that change or check the database.

demo, run, backfill, import, resample, rebuild, verify, metadata.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.progress import Progress as ProgressBars

from batch_layer.operations import nightly
from batch_layer.operations.report import Progress, Report, resampled_as_json
from batch_layer.operations.upkeep import rebuild_from_archive, resample_all, verify_all
from batch_layer.processing.batch_jobs.shards import Shard
from batch_layer.shared import exit_codes
from batch_layer.shared.clients.yahoo import read_symbols
from batch_layer.shared.models.providers import PROVIDERS
from condvest.cli import output
from condvest.cli.context import Cli, json_option, pass_cli
from condvest.cli.read import SESSION, show_bars, show_status
from condvest.cli.screen import printable
from condvest.cli.summaries import cost_of, say_findings, say_loads, say_resampled
from serving_layer.queries.bars_table import read_bars
from serving_layer.queries.question import Question

_FILE = click.Path(path_type=Path)

_NEXT = """
What to try next:
  {condvest} bars AAPL --interval 13 --start 2012-01-01
  {condvest} bars --interval 1 --format csv -o daily.csv
  {condvest} import FILE.csv --splits SPLITS.csv    (your own prices)
  {condvest} status
  {python} -c 'import condvest; print(condvest.bars("IBM", interval=34))'"""


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
        with output.progress("sample") as bars:
            report = nightly.run(workspace, "sample", on_wait=_say_waiting, on_progress=advancing(bars))
        say_loads(report)
        say_resampled(report)
        question = Question(symbols=["AAPL"], interval=13, end=dt.date(2005, 6, 30))
        table = read_bars(workspace.database, workspace.sessions, question)
        show_bars(
            table.slice(max(len(table) - 8, 0)),
            "AAPL, bars of 13 sessions around its 2-for-1 split of 2005-02-28",
        )
        show_status(workspace)
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
    with cli.workspace() as workspace, output.progress(provider) as bars:
        report = nightly.run(
            workspace,
            provider,
            asked,
            on_wait=_say_waiting,
            on_load=lambda load: output.note(bars, load.name),
            on_progress=advancing(bars),
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

    Each is stored as it comes: stop it when you like, and run it again to go on.
    """
    asked = _symbols(symbols, symbols_file)
    provider = provider or ("massive" if from_files else cli.settings.nightly.provider)
    with cli.workspace() as workspace, workspace.ingest(provider, asked, from_files=from_files) as ingest:
        anew = [] if dry_run else ingest.republished(start, end)
        sessions = sorted({*ingest.missing(start, end), *anew})
        cost = ingest.cost(len(sessions))
        if not as_json:
            output.message(cost_of(len(sessions), cost))
        elif dry_run:
            output.write_json({"sessions": len(sessions), **vars(cost), "dry_run": True})
        if dry_run:
            return
        ordered = sessions[::-1] if order == "newest" else sessions
        with output.countdown(provider, len(sessions), cost.seconds) as bar:
            report = nightly.backfill(workspace, ingest, ordered, on_load=bar.loaded)
    finish(report, as_json=as_json)


@click.command(short_help="Recompute the bars that recorded changes touch.")
@click.option("--full", is_flag=True, help="Recompute every bar, not only what changed.")
@click.option(
    "--shard",
    metavar="I/N",
    help="Resample shard I of N (0/4 to 3/4). Default: the AWS Batch array index.",
)
@json_option
@pass_cli
def resample(cli: Cli, full: bool, shard: str | None, as_json: bool) -> None:
    """Recompute the bars that recorded changes touch; with --full, all bars.

    Shards share nothing: run all of them, at once or one after another, on any machines.
    """
    share = Shard.parse(shard) if shard else Shard.of_environment(os.environ)
    with cli.workspace() as workspace, output.progress("resampling") as bars:
        report = resample_all(workspace, full=full, shard=share, on_progress=advancing(bars))
    output.measure(report.metrics)
    if as_json and report.resampled is not None:
        output.write_json(resampled_as_json(report.resampled))
    else:
        say_resampled(report)


@click.command()
@click.option("--from-archive", is_flag=True, hidden=True, help="Ignored; version 0.1 required it.")
@json_option
@pass_cli
def rebuild(cli: Cli, from_archive: bool, as_json: bool) -> None:  # noqa: ARG001  # accepted for old scripts
    """Rebuild an empty database from the archive.

    Daily bars, revisions, refused rows and bars come out as they were. The instants of the fetches decide
    what was known when.
    """
    with cli.workspace() as workspace, output.progress("rebuilding") as bars:
        report = rebuild_from_archive(workspace, on_progress=advancing(bars))
    finish(report, as_json=as_json)


@click.command(short_help="Check that archive, daily bars and bars agree.")
@click.option(
    "--sample", type=click.IntRange(min=1), help="Check this many loads and instruments, chosen at random."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option("--repair", is_flag=True, help="Recompute the bars that differ.")
@json_option
@pass_cli
def verify(cli: Cli, sample: int | None, seed: int, repair: bool, as_json: bool) -> None:
    """Check that archive, daily bars and bars agree, and name each difference.

    Exit with 1 if a difference remains.
    """
    with cli.workspace(may_create=False) as workspace:
        with output.progress("verifying") as bars:
            found = verify_all(workspace, sample=sample, seed=seed, on_progress=advancing(bars))
        if repair and any(one.what == "bar" for one in found):
            resample_all(workspace, full=True)
            found = verify_all(workspace, sample=sample, seed=seed)
    if as_json:
        output.write_json({"findings": [vars(one) for one in found]})
    else:
        for one in found:
            click.echo(printable(" ".join(filter(None, (one.what, one.symbol, one.where, one.problem)))))
        output.message(f"{len(found):,} differences" if found else "archive, daily bars and bars agree")
    sys.exit(exit_codes.check_code(passed=not found))


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
    """Fetch current and past listings, with names, exchanges, FIGIs and dates; delisted ones stay for good.

    For each SYMBOL, one more call fetches industry, market value and shares. Condvest keeps every change of a
    value with its dates; read them with: condvest instruments.
    """
    with cli.workspace() as workspace, output.progress(provider) as bars:
        report = nightly.metadata(
            workspace, provider, symbols, on_load=lambda load: output.note(bars, load.name)
        )
    finish(report, as_json=as_json)


COMMANDS = (demo, run, backfill, resample, rebuild, verify, metadata)


def finish(report: Report, *, as_json: bool, dry_run: bool = False, is_fetch: bool = True) -> None:
    """Say what a job did, and exit with its code.

    Args:
        report: what it did.
        as_json: whether to write it as JSON; otherwise in words.
        dry_run: whether nothing was stored.
        is_fetch: whether a provider was asked for sessions.
    """
    output.measure(report.metrics)
    if as_json:
        output.write_json(report.as_json() | ({"dry_run": True} if dry_run else {}))
    else:
        say_loads(report, dry_run=dry_run, is_fetch=is_fetch)
        say_resampled(report)
        say_findings(report)
    for one in report.unavailable:
        output.message(f"{one.session}: {one.reason}")
    for path, reason in report.failed.items():
        output.message(f"error: {reason}" if path in reason else f"error: {path}: {reason}")
    sys.exit(report.exit_code)


def _program(name: str) -> str:
    """Return how to call a program installed beside ours: by name, or by path if PATH has another or none."""
    ours = Path(sys.argv[0]).with_name(name)
    return name if shutil.which(name) == str(ours.absolute()) else str(ours)


def _say_waiting() -> None:
    output.message("waited for another `condvest run` to finish")


def advancing(bars: ProgressBars, label: str | None = None) -> Progress:
    """Return what moves the first of the progress bars, and labels it if a label is given."""

    def advance(done: int, total: int) -> None:
        if label is not None:
            output.note(bars, label)
        output.advance(bars, done, total)

    return advance


def _symbols(text: str | None, path: Path | None) -> tuple[str, ...]:
    given = tuple((text or "").replace(",", " ").split())
    return given + (read_symbols(path) if path else ())
