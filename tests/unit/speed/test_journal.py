"""The journal of snapshots: private, and whatever becomes of its files is told by their names."""

import datetime as dt

import pytest

from batch_layer.shared.errors import ArchiveError
from speed_layer.feeds.journal import Entry, Journal

ENTRIES = [Entry(1717430400_000000 + at, b'{"tickers": [%d]}' % at) for at in range(3)]


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "live", "massive", dt.date(2024, 6, 3))
    for entry in ENTRIES:
        journal.keep(entry)
    return journal


def test_what_is_kept_comes_back_in_its_order_and_is_its_owners_alone(journal):
    assert list(journal.entries()) == ENTRIES
    assert {path.stat().st_mode & 0o777 for path in journal.folder.iterdir()} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (journal.root, journal.folder)} == {0o700}


def test_no_damage_of_a_file_is_anything_but_an_error_that_names_it(journal):
    path = min(journal.folder.iterdir())
    whole = path.read_bytes()
    said = []
    for at in range(len(whole)):
        for bits in (0x01, 0x55, 0xFF):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])
            try:
                assert list(journal.entries()) == ENTRIES  # a byte of gzip's header may mean nothing
            except ArchiveError as error:
                said.append(str(error))
    assert len(said) > len(whole)
    assert [error for error in said if str(path) not in error] == []


def test_files_that_are_none_of_its_own_are_passed_over(journal):
    for name in ("junk.json.gz", ".part-junk.json.gz", "notes.txt"):
        (journal.folder / name).write_bytes(b"x")
    assert list(journal.entries()) == ENTRIES


def test_a_date_that_there_is_not_is_named(journal):
    path = min(journal.folder.iterdir())
    path.rename(path.with_name(path.name.replace("20240603T", "20240699T")))
    with pytest.raises(ArchiveError, match="20240699T"):
        list(journal.entries())


def test_no_link_that_lies_where_a_file_is_built_is_written_through(journal, tmp_path):
    """A run that was killed may have left a file of that name; whatever lies there goes."""
    name = min(path.name for path in journal.folder.iterdir())
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (journal.folder / name).unlink()
    (journal.folder / f".part-{name}").symlink_to(victim)
    journal.keep(ENTRIES[0])
    assert victim.read_text() == "untouched"
    assert list(journal.entries()) == ENTRIES
