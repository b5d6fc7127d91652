"""Every command that prints, on bars of which nobody knows vwap, trades, name or listing."""

import csv
import io
import json

import pytest

from batch_layer.shared.models.metadata import METADATA
from tests.acceptance.conftest import fresh_on

PRICES = """symbol,date,open,high,low,close,volume
NA,2024-06-03,10,11,9,10,100
NA,2024-06-05,10,11,9,10.5,100
NA,2024-06-06,10,9,9,10,100
"""
COMMANDS = {
    "bars NA --interval 1": ("vwap", "trades"),
    "bars NA --interval 3 --include-open": ("vwap", "trades"),
    "refused": (),
    "gaps": (),
    "history NA": ("vwap", "trades", "ended_by"),
    "instruments": ("active", *METADATA),
    "quality": (),
}
"""By command: the columns of which every value is unknown."""


@pytest.fixture(scope="module")
def imported(server, tmp_path_factory):
    path = tmp_path_factory.mktemp("unknown") / "prices.csv"
    path.write_text(PRICES)
    database = fresh_on(server)
    database.done("import", path, code=3)
    return database


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_unknown_is_empty_in_csv(imported, command):
    rows = list(csv.DictReader(io.StringIO(imported.done(*command.split(), "--format", "csv"))))
    assert rows or not COMMANDS[command]
    assert {row[name] for row in rows for name in COMMANDS[command]} <= {""}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_unknown_is_null_in_json(imported, command):
    lines = imported.done(*command.split(), "--format", "json").splitlines()
    rows = [json.loads(line, parse_constant=pytest.fail) for line in lines]  # NaN is no JSON
    assert rows or not COMMANDS[command]
    assert {row[name] for row in rows for name in COMMANDS[command]} <= {None}


@pytest.mark.parametrize("command", ["status", "quality"])
def test_reports_are_json_without_nan(imported, command):
    json.loads(imported.done(command, "--json"), parse_constant=pytest.fail)
