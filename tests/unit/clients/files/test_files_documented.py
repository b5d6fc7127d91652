"""Every column, date and file name of docs/files.md is read as that page says."""

import datetime as dt
import re
from pathlib import Path

import pytest

from condvest.batch_layer.shared.clients.files import action_datasets, parse
from condvest.batch_layer.shared.clients.files.layouts.layout import LAYOUTS
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.given.payloads import Payload

PAGE = (Path(__file__).parents[4] / "docs" / "files.md").read_text()
NOW = dt.datetime(2024, 6, 10, tzinfo=dt.UTC)
BAR = "1,2,1,2,100"


def rows_of(title):
    """Return the rows of a section's first table, without head and rule."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def payload(text, name="prices.csv", dataset="daily_bars", **options):
    content = text.encode()
    return Payload(
        "file",
        dataset,
        content,
        "csv",
        None,
        None,
        NOW,
        is_whole=False,
        name=name,
        options=FileOptions(**{"symbol_from_path": True} | options),
    )


def test_every_column_is_documented():
    documented = {
        (dataset.strip("`"), field.strip("`")): columns for dataset, field, columns, _ in rows_of("Columns")
    }
    assert {key: tuple(re.findall(r"`(\w+)`", columns)) for key, columns in documented.items()} == {
        (dataset, field.name): field.names for dataset, fields in LAYOUTS.items() for field in fields
    }


@pytest.mark.parametrize(("cell", "session", "option"), rows_of("Dates"))
def test_a_date_is_read_as_documented(cell, session, option):
    options = {"midnight": "utc"} if option else {}
    read = parse(payload(f"symbol,date,open,high,low,close,volume\nA,{cell.strip('`')},{BAR}\n", **options))
    if session == "refused":
        assert list(read.faults) == [0]
    else:
        assert (str(read.rows.session[0]), read.faults) == (session, {})


@pytest.mark.parametrize(("name", "symbol", "option"), rows_of("One symbol per file"))
def test_a_symbol_is_found_as_documented(name, symbol, option):
    options = {"symbol": option.strip("`").split()[1]} if option else {}
    given = payload(f"date,open,high,low,close,volume\n2024-06-03,{BAR}\n", name.strip("`"), **options)
    if symbol == "refused":
        with pytest.raises(InputError, match="--symbol"):
            parse(given)
    else:
        assert parse(given).rows.symbol.tolist() == [symbol]


@pytest.mark.parametrize(("column", "what", "known_from", "done"), rows_of("Adjusted prices"))
def test_a_column_of_adjustments_is_used_as_documented(column, what, known_from, done):
    assert what
    assert known_from
    text = (
        f"symbol,date,open,high,low,close,volume,{column.strip('`')}\n"
        "A,2024-06-03,4,4,4,4,100,0\nA,2024-06-04,2,2,2,2,200,2\n"
    )
    given = payload(text)
    assert any(column.strip("`") in notice for notice in parse(given).notices)
    stored = action_datasets(given)
    assert stored == ([done.removeprefix("stored as ")] if done.startswith("stored") else [])
    for dataset in stored:
        rows = parse(payload(text, dataset=dataset)).rows
        assert (rows.symbol.tolist(), [str(date) for date in rows.ex_date]) == (["A"], ["2024-06-04"])
