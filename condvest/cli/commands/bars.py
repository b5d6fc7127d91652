"""The command ``bars``, and how people are shown bars.

It is asked for most, so its module imports nothing that only other commands need.
"""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import get_args

import click
import pyarrow as pa

from condvest.api import answer, connected
from condvest.asking import LOCAL, From
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.variables import checked_location
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import INSTANT, SESSION, WHOLE, format_option, named_symbols, output_option
from condvest.cli.output import screen
from condvest.cli.output.data import write_arrow
from condvest.cli.output.destination import Format, format_for
from condvest.serving_layer.queries.bars.question import Adjust, Anchor, Question


@click.command(short_help="Print bars of n sessions.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@click.option(
    "--interval", type=WHOLE, default=13, show_default=True, help="Sessions per bar; 1 for daily bars."
)
@click.option("--start", type=SESSION, help="Keep bars that end on or after DATE.")
@click.option("--end", type=SESSION, help="Keep bars that end on or before DATE.")
@click.option(
    "--adjust",
    type=click.Choice(get_args(Adjust)),
    default="splits",
    show_default=True,
    help="What to adjust prices for.",
)
@click.option(
    "--anchor",
    type=click.Choice(get_args(Anchor)),
    default="calendar",
    show_default=True,
    help="Count windows by the exchange's calendar, or from each first session.",
)
@click.option(
    "--as-of", type=INSTANT, help="As this database knew it at a date's end (UTC) or at an ISO instant."
)
@click.option(
    "--include-open", is_flag=True, help="Include bars that are not complete: open, or lacking a session."
)
@click.option("--symbols-on", type=SESSION, help="Take each symbol for whoever carried it on DATE.")
@click.option("--live", is_flag=True, help="Include the running bars of the session under way.")
@click.option(
    "--source",
    type=click.Choice(LOCAL),
    default="database",
    show_default=True,
    help="Where to read; published needs no database.",
)
@click.option(
    "--from",
    "location",
    metavar="DIR|S3",
    help="With --source published: where to read; overrides CONDVEST_PUBLISHED.",
)
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Keep the last N bars of each symbol.")
@format_option
@output_option
@pass_cli
def bars(
    cli: Cli,
    symbols: tuple[str, ...],
    interval: int,
    start: dt.date | None,
    end: dt.date | None,
    adjust: Adjust,
    anchor: Anchor,
    as_of: dt.datetime | None,
    include_open: bool,
    symbols_on: dt.date | None,
    live: bool,
    source: From,
    location: str | None,
    last: int | None,
    shape: Format | None,
    path: Path | None,
) -> None:
    """Print bars of n sessions of the symbols, or of the whole market.

    Of the whole market, a company whose symbol another one took has a label such as X#12.

    --adjust none leaves prices on the split basis of each window's own end; splits adjusts them to the last
    loaded session; total also reinvests cash dividends.
    """
    if location is not None and source != "published":
        raise UsageError("--from needs --source published")
    named = named_symbols(symbols)
    question = Question(
        named,
        interval,
        start,
        end,
        adjust,
        anchor,
        include_open,
        as_of,
        unique_symbols=named is None,  # two companies that had one symbol are told apart
        include_live=live,
        symbols_on=symbols_on,
    )
    settings = replace(
        cli.settings, published_at=checked_location("--from", location) or cli.settings.published_at
    )
    chosen = format_for(path, shape)
    # In a block, so that what cannot be closed at its end is told, and not when the interpreter ends.
    with connected(settings) if source == "database" else nullcontext():
        table = answer(question, source, settings)
        if not len(table):
            _say_why(question, source, settings)
    if last is not None:
        table = _last(table, last)
    if chosen == "table":
        show_bars(table)
    else:
        write_arrow(table, chosen, path)


COMMANDS = (bars,)


def _say_why(question: Question, source: From, settings: Settings) -> None:
    """Say why an answer has no bars."""
    from condvest.cli.output.messages import message  # noqa: PLC0415  # few answers are empty

    others = (
        0 if question.include_open else len(answer(replace(question, include_open=True), source, settings))
    )
    bounds = (question.symbols, question.start, question.end, question.as_of)
    if others:
        message(
            f"no complete bar of {question.interval} sessions; "
            f"--include-open shows {others:,} that are open or lack a session"
        )
    elif bounds == (None, None, None, None):
        message("no bars: nothing is loaded there; begin with: condvest demo")
    else:
        message(
            "no daily bars match"
            if question.interval == 1
            else f"no bars of {question.interval} sessions match"
        )


def _last(table: pa.Table, count: int) -> pa.Table:
    """Return the last ``count`` bars of each symbol; the bars of a symbol follow each other, ascending."""
    symbols = table["symbol"].to_pylist()
    after = dict.fromkeys(symbols, 0)
    kept = []
    for symbol in reversed(symbols):
        after[symbol] += 1
        kept.append(after[symbol] <= count)
    return table.filter(pa.array(kept[::-1], pa.bool_()))


def show_bars(table: pa.Table, title: str = "") -> None:
    """Show bars as a table for people."""
    shown = ("symbol", "first_session", "last_session", "open", "high", "low", "close", "volume")
    rows = zip(*(table[name].to_pylist() for name in shown), _states(table), strict=True)
    heads = ("symbol", "first", "last", "open", "high", "low", "close", "volume", "")
    screen.table(heads, list(rows), title=title)


def _states(table: pa.Table) -> list[str]:
    """Return, per bar, what to say of it: nothing if it is complete, else ``open`` or ``incomplete``.

    A bar that is followed by a complete one of its symbol lacks a session; the others are still open.
    """
    states: list[str] = []
    followed: set[str] = set()
    for symbol, is_complete in zip(
        reversed(table["symbol"].to_pylist()), reversed(table["is_complete"].to_pylist()), strict=True
    ):
        states.append("" if is_complete else "incomplete" if symbol in followed else "open")
        if is_complete:
            followed.add(symbol)
    states.reverse()
    if "is_live" not in table.column_names:
        return states
    return [
        "live" if is_live else state
        for state, is_live in zip(states, table["is_live"].to_pylist(), strict=True)
    ]
