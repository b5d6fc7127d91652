"""The commands of alerts: add, list, remove, test, log, deliver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from condvest.batch_layer.database.stores.alert_events import check_names, newest_events
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.variables import Network
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import SESSION, format_option, json_option, output_option, symbol_list
from condvest.cli.output.alerts import events_table, rules_table
from condvest.cli.output.data import write_json
from condvest.cli.output.destination import Format
from condvest.cli.output.messages import message
from condvest.cli.output.tables import show_table
from condvest.cli.rule_options import RuleOptions, rule_options
from condvest.live.rehearsing import in_words, rehearsed
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.sources.database import DatabaseSource
from condvest.speed_layer.stores.rules import Webhook, add_rule, listed_rules, remove_rule
from condvest.speed_layer.webhooks.addresses import checked_url, shown_url
from condvest.speed_layer.webhooks.signing import checked_secret, new_secret
from condvest.speed_layer.webhooks.topics import checked_topic, is_topic


@click.group(short_help="Rules over running bars, and the verdict on each firing.")
def alerts() -> None:
    """Keep rules over running bars: what they say, how it stood at the close, and who is told.

    A rule is an expression such as "close(13) > highest(high(13), 4)"; docs/alerts.md describes the language.
    """


@alerts.command(short_help="Add a rule.")
@click.argument("name")
@click.argument("expression")
@rule_options
@click.option("--at-once", is_flag=True, help="Fire also for what is true at the first look.")
@click.option(
    "--webhook",
    "urls",
    metavar="URL",
    multiple=True,
    help="Send its events there: https://..., or sns:TOPIC_ARN; repeatable.",
)
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the secret that signs. Default: a new one, which is printed once.",
)
@click.option("--dry-run", is_flag=True, help="Check the rule and say what it is, and store nothing.")
@json_option
@pass_cli
def add(
    cli: Cli,
    name: str,
    expression: str,
    options: RuleOptions,
    at_once: bool,
    urls: tuple[str, ...],
    secret_file: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Add a rule, which fires from the next snapshot of condvest live run on.

    What is true already when it is looked at first does not fire. The rule is refused where it does not
    parse, and if it names a symbol that no instrument carries.
    """
    rule = options.rule(_checked_name(name), expression, at_once=at_once)
    given = (
        checked_secret(secret_file.read_bytes().decode("ascii", "replace").strip()) if secret_file else None
    )
    webhooks = [_webhook(url, cli.settings.webhook_networks, given) for url in urls]
    about: dict[str, Any] = {
        "rule": rule.name,
        "expression": rule.node.text,
        "interval": rule.interval,
        "mode": rule.mode,
        "once": rule.once,
        "cooldown": None if rule.cooldown is None else rule.cooldown.text,
        "rearm": rule.rearm_canonical,
        "repaint": rule.repaint,
    }
    with cli.workspace() as workspace:
        sessions = workspace.sessions
        with workspace.database.transaction(rehearsal=dry_run) as connection:
            _, instruments = select(DatabaseSource(connection, sessions), rule.symbols)
            about["instruments"] = len(instruments)
            about["rule_id"] = add_rule(connection, rule, webhooks)
    if dry_run:
        about["rule_id"] = None
    made = [] if given or dry_run else [(hook.url, hook.secret) for hook in webhooks if hook.secret]
    if as_json:
        secrets = [{"url": shown_url(url), "secret": secret} for url, secret in made]
        write_json({**about, "webhooks": secrets})
        return
    click.echo("\n".join(f"{key:12} {'' if value is None else value}" for key, value in about.items()))
    for url, secret in made:
        click.echo(f"secret       {secret}  ({shown_url(url)})")
    if made:
        message("keep the secrets: they verify the signatures, and are not shown again")


@alerts.command("list", short_help="List the rules.")
@format_option
@output_option
@pass_cli
def list_(cli: Cli, shape: Format | None, path: Path | None) -> None:
    """List the rules with how often each fired, and how often that stood."""
    with (
        cli.workspace(may_create=False) as workspace,
        workspace.database.transaction(read_only=True) as connection,
    ):
        rules = listed_rules(connection)
    hidden = ("repaint", "fires", "once", "cooldown", "rearm", "symbols", "webhooks", "waiting", "created_at")
    show_table(rules_table(rules), shape, path, hidden=hidden)


@alerts.command(short_help="Remove a rule.")
@click.argument("name")
@pass_cli
def remove(cli: Cli, name: str) -> None:
    """Remove a rule: it fires no more, and nothing more is sent. What it has fired keeps its verdict."""
    with cli.workspace(may_create=False) as workspace, workspace.database.transaction() as connection:
        remove_rule(connection, name)


@alerts.command(short_help="Try a rule against history.")
@click.argument("expression")
@rule_options
@click.option("--start", type=SESSION, help="First session. Default: a year before the last.")
@click.option("--end", type=SESSION, help="Last session. Default: the newest that is loaded.")
@click.option("--list", "lists", is_flag=True, help="List the firings, too.")
@json_option
@pass_cli
def test(
    cli: Cli,
    expression: str,
    options: RuleOptions,
    start: dt.date | None,
    end: dt.date | None,
    lists: bool,
    as_json: bool,
) -> None:
    """Say what a rule would have fired, and how much of that stood at the close of its bar; store nothing.

    History is looked at once a session, at its close, by the code that looks at running bars.
    """
    rule = options.rule("test", expression)
    with cli.workspace(may_create=False) as workspace:
        summary, firings = rehearsed(workspace, rule, start, end)
    if as_json:
        write_json({**summary, "firings": firings.to_pylist() if lists else None})
        return
    if lists:
        show_table(firings, None, None)
    click.echo("\n".join(in_words(summary)))


@alerts.command(short_help="Show what rules said, newest first.")
@click.option("--rule", "name", help="Of this rule only.")
@click.option("--symbols", help="Of these symbols only, comma-separated.")
@click.option(
    "--last", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many events."
)
@format_option
@output_option
@pass_cli
def log(
    cli: Cli, name: str | None, symbols: str | None, last: int, shape: Format | None, path: Path | None
) -> None:
    """Show firings and verdicts, newest first; margin is by how much the rule was true, as a fraction."""
    with (
        cli.workspace(may_create=False) as workspace,
        workspace.database.transaction(read_only=True) as connection,
    ):
        chosen = symbol_list(symbols)
        check_names(connection, name, chosen)
        events = newest_events(connection, last, name, None if chosen is None else list(chosen))
    hidden = ("repaint", "values", "reason", "fired_id", "data_through", "created_at")
    show_table(events_table(events), shape, path, hidden=hidden)


@alerts.command(short_help="Send what waits to its webhooks.")
@click.option("--once", is_flag=True, help="Send what is due now and end.")
@pass_cli
def deliver(cli: Cli, once: bool) -> None:
    """Send events to their webhooks until stopped; condvest live run does so by itself while it runs."""
    from condvest.live.delivering import deliver_until_stopped  # noqa: PLC0415  # the HTTP client

    with cli.workspace(may_create=False) as workspace:
        deliver_until_stopped(workspace, message, once=once)


def _webhook(url: str, networks: Sequence[Network], secret: str | None) -> Webhook:
    """Return where events go: a webhook with the secret given or a new one, or a topic, which needs none."""
    if is_topic(url):
        return Webhook(checked_topic(url), "")
    return Webhook(checked_url(url, networks), secret or new_secret())


def _checked_name(name: str) -> str:
    if not name.strip() or not name.isprintable() or len(name) > 80:  # noqa: PLR2004  # a line of a terminal
        raise UsageError(f"a rule's name is 1 to 80 printable characters, got {name!r}")
    return name


COMMANDS = (alerts,)
