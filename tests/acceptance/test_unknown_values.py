"""Every command that prints, on bars of which nobody knows vwap, trades, name or listing."""

import csv
import io
import json

import pytest

from condvest.batch_layer.shared.models.instruments.metadata import METADATA
from condvest.cli import condvest
from tests.acceptance.conftest import fresh_on

PRICES = """symbol,date,open,high,low,close,volume
NA,2024-06-03,10,11,9,10,100
NA,2024-06-05,10,11,9,10.5,100
NA,2024-06-06,10,9,9,10,100
"""
COMMANDS = {
    "bars NA --interval 1": (2, {"vwap", "trades"}),
    "bars NA --interval 3 --include-open": (1, {"vwap", "trades"}),
    "refused": (1, set()),
    "gaps": (1, set()),
    "history NA": (2, {"vwap", "trades", "known_to", "ended_by"}),
    "instruments": (1, {"active", *METADATA}),
    "quality": (0, set()),
    "loads": (1, {"taken_back_by"}),
    "actions": (0, set()),
    "runs": (1, {"failure"}),
}
"""By command: how many rows it prints, and the columns of which no value is known; all of the others are."""

ELSEWHERE = {"compare"}
"""Commands that print tables of two providers' bars: what is unknown of either is no difference."""


@pytest.fixture(scope="module")
def imported(server, prepared, tmp_path_factory):
    path = tmp_path_factory.mktemp("unknown") / "prices.csv"
    path.write_text(PRICES)
    database = fresh_on(server, prepared)
    database.done("import", path, code=3)
    return database


def test_every_command_that_prints_a_table_is_looked_at():
    tables = {
        name
        for name in condvest.list_commands(None)
        for command in [condvest.get_command(None, name)]
        if any("--format" in option.opts for option in command.params)
    }
    assert tables == {command.split()[0] for command in COMMANDS} | ELSEWHERE


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_unknown_is_empty_in_csv(imported, command):
    count, unknown = COMMANDS[command]
    rows = list(csv.DictReader(io.StringIO(imported.done(*command.split(), "--format", "csv"))))
    assert (len(rows), {name for row in rows for name in row if row[name] == ""}) == (count, unknown)
    assert {row[name] for row in rows for name in unknown} <= {""}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_unknown_is_null_in_json(imported, command):
    count, unknown = COMMANDS[command]
    lines = imported.done(*command.split(), "--format", "json").splitlines()
    rows = [json.loads(line, parse_constant=pytest.fail) for line in lines]  # NaN is no JSON
    assert (len(rows), {name for row in rows for name in row if row[name] is None}) == (count, unknown)
    assert {row[name] for row in rows for name in unknown} <= {None}


@pytest.mark.parametrize("command", ["status", "quality"])
def test_reports_are_json_without_nan(imported, command):
    json.loads(imported.done(command, "--json"), parse_constant=pytest.fail)
