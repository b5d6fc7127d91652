"""The documentation says all that there is, and nothing that is not."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import psycopg
import pytest
from documents import matches, run_all

from condvest.batch_layer.fetching.quality import RULES
from condvest.batch_layer.shared.core.flags.bar_flags import FLAGS
from condvest.cli import condvest as program
from tests.support.warm import forked_program

ROOT = Path(__file__).parents[2]
LAYERS = ("condvest", "serving_layer", "speed_layer", "batch_layer")
TOPS = (*LAYERS, "docs", "tests", "benchmarks", "examples")
EVERY_PAGE = sorted({*ROOT.glob("*.md"), *(page for top in TOPS for page in (ROOT / top).rglob("*.md"))})
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
POSTGRES_NAMES = {
    "integer": "int4",
    "smallint": "int2",
    "bigint": "int8",
    "double precision": "float8",
    "timestamp with time zone": "timestamptz",
    "boolean": "bool",
    "ARRAY": "text[]",
}


def commands(command=program, path="condvest"):
    """Yield every command with its path."""
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(None):
            yield from commands(command.get_command(None, name), f"{path} {name}")


def section(page, heading):
    """Return the text of a section of a page, up to the next heading of its level or above."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def table_rows(text):
    """Yield the cells of the rows of tables; a bar may be escaped."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


LEAVES = [(path, command) for path, command in commands() if not isinstance(command, click.Group)]


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[path for path, _ in LEAVES])
def test_every_command_and_option_is_documented(path, command):
    text = section((ROOT / "docs/cli.md").read_text(), path)
    assert text, f"docs/cli.md has no section '## {path}'"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for name in parameter.opts + parameter.secondary_opts:
                assert re.search(rf"`{name}[ `]", text), f"docs/cli.md does not say what {path} {name} does"


def test_no_command_is_documented_that_is_not_there():
    page = (ROOT / "docs/cli.md").read_text()
    documented = re.findall(r"^## (condvest .*)$", page, re.MULTILINE)
    assert sorted(documented) == sorted(path for path, _ in LEAVES)


def test_the_options_before_the_command_are_documented():
    page = (ROOT / "docs/cli.md").read_text()
    for parameter in program.params:
        assert f"`{parameter.opts[0]}" in page


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=[path for path, _ in commands()])
def test_every_command_and_option_has_help(path, command):
    assert (command.help or "").strip(), path
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts[0]}"
    with click.Context(command, info_name=path, terminal_width=80) as context:
        shown = command.get_help(context)
    assert shown.startswith(f"Usage: {path}")
    assert max(map(len, shown.splitlines())) <= 80
    listed = shown.partition("\nCommands:\n")[2].partition("\n\n")[0]
    assert "..." not in listed, "a line of help is cut short"


def test_help_is_printed_on_standard_output(server):
    for arguments in (["--help"], ["-h"], ["bars", "--help"], ["db", "up", "-h"]):
        assert server.done(*arguments).startswith("Usage: condvest")
    assert re.search(r"\d+\.\d+\.\d+", server.done("--version"))


def test_every_setting_is_documented():
    """Whatever the sources read from an environment stands in the table of the settings."""
    sources = [path for folder in LAYERS for path in (ROOT / folder).rglob("*.py")]
    named = {
        name for path in sources for name in re.findall(r"\b[A-Z]+_(?:[A-Z]+_)*[A-Z]+\b", path.read_text())
    }
    settings = {name for name in named if name.startswith("CONDVEST_") or name.endswith("_API_KEY")}
    assert {"CONDVEST_HOME", "CONDVEST_DATABASE_URL"} <= settings
    documented = (ROOT / "docs/settings.md").read_text()
    assert [name for name in sorted(settings) if f"`{name}`" not in documented] == []


def test_every_setting_of_the_deployment_is_in_its_help():
    """Whatever the shell of deploy.sh reads from its environment and gives a default for."""
    shell = [ROOT / "batch_layer/deploy.sh", *(ROOT / "batch_layer/deploy/lib").glob("*.sh")]
    read = {name for path in shell for name in re.findall(r"\$\{(CONDVEST_\w+):?-", path.read_text())}
    assert {"CONDVEST_STATE_BUCKET", "CONDVEST_LOADER_CALLS"} <= read
    documented = (ROOT / "docs/settings.md").read_text()
    shown = subprocess.run(
        ["bash", ROOT / "batch_layer/deploy.sh", "--help"], capture_output=True, text=True, check=True
    )
    assert [name for name in sorted(read) if name not in shown.stdout and f"`{name}`" not in documented] == []


def test_the_layers_of_the_architecture_are_those_of_the_import_contract():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    page = section((ROOT / "docs/architecture.md").read_text(), "Who may import whom")
    drawn = re.search(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    layers = [re.sub(r"\bcondvest\.(batch_layer\.(shared\.)?)?", "", layer) for layer in contract["layers"]]
    assert [re.split(r" {2,}", line)[0].strip() for line in drawn.splitlines()] == layers


def test_every_exit_code_is_documented():
    rows = list(table_rows(section((ROOT / "docs/cli.md").read_text(), "Exit codes")))
    assert [row[0] for row in rows] == ["code", "0", "1", "2", "3"]
    assert all(all(row) for row in rows)


def test_every_table_and_column_is_in_the_data_dictionary(fresh):
    fresh.done("db", "migrate")
    with psycopg.connect(fresh.url()) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        ).fetchall()
    page = (ROOT / "docs/data-dictionary.md").read_text()
    tables = {}
    for table, column, kind in rows:
        if not re.fullmatch(r"(daily_|closed_)?bars_\d+", table):
            tables.setdefault(table, []).append([f"`{column}`", POSTGRES_NAMES.get(kind, kind)])
    for table, columns in tables.items():
        documented = [row[:2] for row in table_rows(section(page, table))][1:]
        assert documented == columns, table
    assert sorted(re.findall(r"^## (.*)$", page, re.MULTILINE)) == sorted(tables)
    assert all(row[2] for row in table_rows(page))


def test_every_rule_of_quality_is_documented_in_order():
    page = section((ROOT / "docs/quality-rules.md").read_text(), "Rows")
    assert [row[0] for row in table_rows(page)][1:] == [f"`{code}`" for code in RULES]


def test_every_rule_of_quality_says_what_is_lost():
    page = section((ROOT / "docs/quality-rules.md").read_text(), "Rows")
    _, *rules = table_rows(page)
    lost = {row[0].strip("`"): row[2] for row in rules}
    assert lost.keys() == RULES.keys()
    assert [code for code, what in lost.items() if not re.match(r"(the|all|for now|nothing)\b", what)] == []


def test_every_flag_is_documented():
    page = section((ROOT / "docs/quality-rules.md").read_text(), "Flags")
    assert [row[:2] for row in table_rows(page)][1:] == [
        [f"`{flag}`", severity] for flag, (severity, _) in FLAGS.items()
    ]


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    extras = project["project"].get("optional-dependencies", {}).values()
    named = {
        re.match(r"[\w-]+", one)[0] for group in (*groups, *extras) for one in group if isinstance(one, str)
    }
    text = section((ROOT / "docs/why.md").read_text(), "Dependencies")
    rows = {row[0]: row for row in table_rows(text)}
    assert sorted(named - rows.keys()) == []
    assert all(all(row) for row in rows.values())


@pytest.mark.parametrize("page", EVERY_PAGE, ids=[str(page.relative_to(ROOT)) for page in EVERY_PAGE])
def test_every_link_leads_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text()):
        other = (page.parent / target) if target else page
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(), re.MULTILINE)
            # As GitHub and MkDocs make them: letters, digits, hyphens and underscores stay.
            slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor[1:] in slugs, anchor


@pytest.fixture(scope="module")
def path_of_forks(server, tmp_path_factory):
    """A PATH on which `condvest` is forked from a process that has imported it: the pages run hundreds."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "condvest"
    words = [*forked_program(), str(Path(sys.executable).with_name("condvest"))]
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{server.environ['PATH']}"


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_example_works_and_prints_what_is_shown(page, server, path_of_forks, tmp_path):
    """The blocks of a page in order, in a fresh home; see documents.py for what stands for what."""
    fresh_home = type(server)(tmp_path / "home", {"PATH": path_of_forks})
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    try:
        for command, shown, printed in run_all(page, fresh_home, tmp_path):
            if shown is not None:
                assert matches(shown, printed), f"{command}\nshown:\n{shown}\nprinted:\n{printed}"
    finally:
        fresh_home("db", "down", "--now")
