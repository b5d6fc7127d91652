"""The command line: a thin skin over the library.

Messages and progress go to standard error, data to standard output.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from condvest.batch_layer.shared import exit_codes
from condvest.batch_layer.shared.errors import CondvestError, PermanentError, Terminated
from condvest.cli.context import Cli
from condvest.cli.output import streams

_EPILOG = """
\b
Exit codes:
  0  done
  1  failed; the message says what to do
  2  wrong usage
  3  done, but a session is partial or rows are newly refused

\b
Settings, from the environment:
  CONDVEST_HOME          directory of the embedded database, the archive and
                         the published data (default: the user's data
                         directory)
  CONDVEST_DATABASE_URL  a PostgreSQL server, 14 or later, to use instead of
                         the embedded one
  CONDVEST_PUBLISHED     where condvest publish writes: a directory or
                         s3://bucket/prefix
  CONDVEST_PROVIDER      provider of the nightly job (default: sample)
  CONDVEST_ASK_AGAIN     number of newest sessions that the nightly job
                         fetches again (default: 3)
  MASSIVE_API_KEY        API key of Massive

docs/settings.md lists all settings.
"""


MODULES = {
    "actions": ("actions",),
    "alerts": ("alerts",),
    "bars": ("bars",),
    "compare": ("compare",),
    "database": ("db", "doctor"),
    "export": ("export",),
    "imports": ("import",),
    "live": ("live",),
    "operate": ("backfill", "demo", "metadata", "run"),
    "plot": ("plot",),
    "publish": ("publish",),
    "read": ("gaps", "history", "instruments", "quality", "refused", "runs"),
    "resend": ("replay",),
    "serve": ("keys", "serve"),
    "status": ("status",),
    "takeback": ("loads", "remove", "undo"),
    "tools": ("mcp",),
    "watch": ("watch",),
    "upkeep": ("rebuild", "resample", "verify"),
}
"""Module of `condvest.cli.commands` to the names of its commands; its ``COMMANDS`` are those."""


class Commands(click.Group):
    """The commands, each imported when it is asked for: together they take ten times as long as one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # the signature is click's
        """Return the names of all commands, ascending."""
        return sorted(name for names in MODULES.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        """Return the command of a name; None if there is none."""
        for module, names in MODULES.items():
            if cmd_name in names:
                commands: tuple[click.Command, ...] = importlib.import_module(
                    f"condvest.cli.commands.{module}"
                ).COMMANDS
                return next(command for command in commands if command.name == cmd_name)
        return None


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from condvest.version import version_text  # noqa: PLC0415  # no command waits for git

        click.echo(f"condvest, version {version_text()}")
        context.exit()


@click.group(
    cls=Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.option("--database-url", metavar="URL", help="PostgreSQL to use; overrides CONDVEST_DATABASE_URL.")
@click.option(
    "--home", metavar="DIR", help="Directory of the database and the archive; overrides CONDVEST_HOME."
)
@click.option("-v", "--verbose", is_flag=True, help="Say more: each load, each answer, each retry.")
@click.option("-q", "--quiet", is_flag=True, help="Say only errors and what needs attention.")
@click.option(
    "--log-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Append all that is said, and details, to FILE, with instants.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and the commit, and exit.",
)
@click.pass_context
def condvest(
    context: click.Context,
    database_url: str | None,
    home: str | None,
    verbose: bool,
    quiet: bool,
    log_file: Path | None,
) -> None:
    """Keep a stock market's daily prices ready for backtesting.

    Begin with: condvest demo
    """
    if verbose or quiet or log_file is not None:
        from condvest.cli.output.messages import configure  # noqa: PLC0415  # most commands say little

        configure(is_quiet=quiet, is_verbose=verbose, path=log_file)
    context.obj = Cli.of(os.environ, database_url=database_url, home=home)


_BEFORE_THE_COMMAND = ("-v", "--verbose", "-q", "--quiet", "--log-file", "--home", "--database-url")


def main() -> None:
    """Run the command line and exit with its code."""
    streams.open_closed()
    # SIGTERM unwinds the stack as Ctrl-C does: open transactions roll back, and the last command to leave
    # stops the embedded server.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        condvest(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        if context is not None and error.format_message() == context.get_help():
            _message(context.get_help())  # no command was named: the help is all there is to say
            sys.exit(error.exit_code)
        if context is not None:
            _message(context.get_usage())
        _message(f"error: {error.format_message()}")
        if isinstance(error, click.NoSuchOption) and error.option_name in _BEFORE_THE_COMMAND:
            _message(f"{error.option_name} belongs before the command: condvest {error.option_name} COMMAND")
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as stopped:
        _message("stopped; finished work is stored; run the command again to continue")
        _say_notes(stopped.__cause__ or stopped)
        by_sigterm = isinstance(stopped.__cause__ or stopped, Terminated)  # click makes an Abort of it
        sys.exit(exit_codes.stopped_code(os.environ, by_sigterm=by_sigterm))
    except CondvestError as error:
        hint = "" if isinstance(error, PermanentError) or "again" in str(error) else " (try again)"
        _message(f"error: {error}{hint}")
        _say_notes(error)
        sys.exit(exit_codes.error_code(os.environ, error))
    except BrokenPipeError:
        # The reader of standard output has gone (condvest bars | head): there is nobody left to tell.
        streams.drop(sys.stdout)
        sys.exit(exit_codes.FAILED)
    except OSError as error:
        # Errors of files and servers have types of their own; this one is of standard output, such as a full
        # disk.
        streams.drop(sys.stdout)
        _message(f"error: cannot write the output: {error}")
        sys.exit(exit_codes.FAILED)


def _message(text: str) -> None:
    from condvest.cli.output.messages import message  # noqa: PLC0415  # only what goes wrong is told here

    message(text)


def _say_notes(error: BaseException) -> None:
    """Say what became of the work that an error ended."""
    for note in getattr(error, "__notes__", ()):
        _message(note)


def _terminated(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of a handler
    raise Terminated
