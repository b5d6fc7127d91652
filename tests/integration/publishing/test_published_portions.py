"""Bars that are folded from published daily bars by portions of instruments are those of all at once."""

import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from condvest.batch_layer.processing.publishing import part_files
from condvest.batch_layer.shared.errors import PublishedError
from condvest.serving_layer.queries.bars.bars_table import read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources import published as published_source
from condvest.serving_layer.sources.portioned_rows import PortionedFile
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sources.published_past import as_known
from tests.support.publishing import correct, from_database, from_files, published

ASKED = (
    {"interval": 4},
    {"interval": 1, "adjust": "none"},
    {"interval": 10, "include_open": True},
    {"interval": 5, "anchor": "listing", "include_open": True},
    {"interval": 4, "start": dt.date(2022, 2, 1), "end": dt.date(2022, 3, 1)},
    {"interval": 7, "symbols": ["C", "A"]},
    {"interval": 4, "start": dt.date(1990, 1, 1), "end": dt.date(1990, 2, 1)},
)


@pytest.fixture
def small_groups(monkeypatch):
    """Row groups of 90 rows: an instrument's are in several, and most groups hold two instruments."""
    monkeypatch.setattr(part_files, "ROW_GROUP", 90)


@pytest.fixture
def portions(monkeypatch):
    """How many spans each portion had that was read."""
    read, daily_of = [], PublishedSource.daily_of

    def noted(source, portions):
        read.extend(map(len, portions))
        return daily_of(source, portions)

    monkeypatch.setattr(PublishedSource, "daily_of", noted)
    return read


@pytest.fixture
def decoded(monkeypatch):
    """Each row group that was decoded by portions, with its file."""
    noted, own = [], PortionedFile._decoded
    monkeypatch.setattr(
        PortionedFile, "_decoded", lambda file, group: (noted.append((file, group)), own(file, group))[1]
    )
    return noted


def check_bars(world, target, monkeypatch):
    published(world, target)
    for asked in ASKED:
        expected = from_database(world, **asked)
        for rows in (1, 700, 10**9):
            monkeypatch.setattr(published_source, "PORTION", rows)
            assert from_files(target, **asked).equals(expected)


def test_the_bars_are_those_of_the_database(year_turn, target, monkeypatch):
    check_bars(year_turn, target, monkeypatch)


@pytest.mark.usefixtures("small_groups")
def test_so_they_are_where_row_groups_end_within_portions_and_instruments(year_turn, target, monkeypatch):
    check_bars(year_turn, target, monkeypatch)


@pytest.mark.usefixtures("small_groups")
def test_so_are_the_bars_of_the_past(year_turn, target, monkeypatch):
    correct(year_turn, 1)
    published(year_turn, target)
    files = PublishedSource.open(target)
    instants = [row[0] for row in year_turn.ask("SELECT loaded_at FROM loads ORDER BY 1")]
    answers = []
    for instant in instants:
        question = {"interval": 4, "include_open": True, "adjust": "none", "as_of": instant}
        expected = from_database(year_turn, **question)
        for rows in (1, 700):
            monkeypatch.setattr(published_source, "PORTION", rows)
            assert read_bars_from(as_known(files, instant), Question(**question)).equals(expected)
        answers.append(expected)
    assert not answers[0].equals(answers[-1])


@pytest.mark.parametrize(("rows", "instruments"), [(1, [1, 1, 1]), (700, [2, 1]), (10**9, [3])])
def test_a_portion_has_about_so_many_rows(year_turn, target, monkeypatch, portions, rows, instruments):
    published(year_turn, target)
    monkeypatch.setattr(published_source, "PORTION", rows)
    from_files(target, interval=4)
    assert portions == instruments


def test_few_sessions_of_all_are_read_at_once(year_turn, target, monkeypatch, portions):
    """Three instruments over at most 42 sessions are 126 rows, though the files hold 800."""
    published(year_turn, target)
    monkeypatch.setattr(published_source, "PORTION", 126)
    from_files(target, interval=4, start=dt.date(2022, 2, 1), end=dt.date(2022, 3, 31))
    assert portions == [3]


@pytest.mark.usefixtures("small_groups")
def test_a_row_group_is_decoded_once(year_turn, target, monkeypatch, decoded):
    published(year_turn, target)
    monkeypatch.setattr(published_source, "PORTION", 1)
    from_files(target, interval=4)
    files = (Path(target.name) / "daily_bars").iterdir()
    groups = sum(pq.ParquetFile(path).num_row_groups for path in files)
    assert groups > len({file for file, _ in decoded}) > 1
    assert len(decoded) == len(set(decoded)) == groups


def test_a_damaged_file_is_named(year_turn, target, monkeypatch):
    published(year_turn, target)
    path = min((Path(target.name) / "daily_bars").iterdir())
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    monkeypatch.setattr(published_source, "PORTION", 1)
    with pytest.raises(PublishedError, match=rf"daily_bars/{path.name} .*condvest publish --check"):
        from_files(target, interval=4)
