"""The journal of a run: all records in their order, also of one that was killed; nothing else."""

import datetime as dt
import gzip
import sys
from contextlib import suppress

import pytest

from condvest.batch_layer.shared.errors import ArchiveError
from condvest.speed_layer.feeds.journal import Journal, Record, Recorder, new_name

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SESSION = dt.date(2024, 3, 5)
RECORDS = [
    Record("frame", 1, b"[]"),
    Record("snapshot", 2, b'{"tickers": []}'),
    Record("frame", 3, b"x" * 100_000),
    Record("frame", 3, b""),
    Record("snapshot", 4, b"last"),
]


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "live", "massive", SESSION)


def kept(journal, name="run", *, close=True):
    recorder = Recorder(journal, name)
    for record in RECORDS:
        recorder.add(record)
    recorder.flush()
    if close:
        recorder.close()
    return recorder


def files(journal):
    return sorted(journal.folder.iterdir())


@pytest.mark.parametrize("close", [True, False])
def test_what_was_kept_comes_back_in_its_order(journal, close):
    """Also of a run that was killed after a flush, whose last file has no end."""
    recorder = kept(journal, close=close)
    assert recorder.position == len(RECORDS)
    assert list(journal.records("run", len(RECORDS))) == RECORDS
    assert list(journal.records("run", 2)) == RECORDS[:2]
    assert len(files(journal)) == 3
    recorder.close()


def test_each_run_has_files_of_its_own(journal):
    kept(journal, "one")
    kept(journal, "two")
    assert list(journal.records("two", 1)) == RECORDS[:1]
    now = dt.datetime(2024, 3, 5, 15, tzinfo=dt.UTC)
    assert new_name(now) != new_name(now)
    assert new_name(now).startswith("20240305T150000Z-")


def test_a_missing_file_is_noticed(journal):
    kept(journal)
    files(journal)[-1].unlink()
    with pytest.raises(ArchiveError, match=r"took 5 messages of 2024-03-05.*the first 4"):
        list(journal.records("run", 5))


def test_a_changed_byte_is_noticed(journal):
    kept(journal)
    for path in files(journal):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(ArchiveError):
        list(journal.records("run", 5))


def test_a_cut_off_end_is_as_far_as_it_goes(journal):
    """What was handed over before a process was killed comes back, whatever of the rest did."""
    recorder = Recorder(journal, "run")
    for record in RECORDS[1:3]:
        recorder.add(record)
        recorder.flush()
    recorder.add(RECORDS[3])
    recorder.close()
    (path,) = files(journal)
    whole = path.read_bytes()
    counts = []
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        counts.append(sum(1 for _ in records_as_far_as_they_go(journal)))
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3}


def records_as_far_as_they_go(journal):
    """Yield the records there are of three, each as it was kept."""
    with suppress(ArchiveError):
        for wanted, record in zip(RECORDS[1:4], journal.records("run", 3), strict=True):
            assert record == wanted
            yield record


def test_a_journal_of_an_earlier_version_is_read(journal):
    """Packed by gzip, as files of a run that began before."""
    kept(journal)
    for path in files(journal):
        content = zstd.decompress(path.read_bytes())
        path.unlink()
        path.with_suffix(".gz").write_bytes(gzip.compress(content))
    assert list(journal.records("run", len(RECORDS))) == RECORDS


def test_old_sessions_go_and_this_one_stays(journal, tmp_path):
    kept(journal)
    for day in range(6, 14):
        (tmp_path / "live/massive" / f"2024-03-{day:02}").mkdir()
    journal.prune(kept=3)
    left = sorted(path.name for path in (tmp_path / "live/massive").iterdir())
    assert left == ["2024-03-05", "2024-03-11", "2024-03-12", "2024-03-13"]


def test_what_is_kept_is_its_owners_alone(journal):
    kept(journal)
    assert {path.stat().st_mode & 0o777 for path in files(journal)} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (journal.root, journal.folder)} == {0o700}


def test_no_damage_of_a_file_is_anything_but_an_error_that_names_where_it_is(journal):
    recorder = Recorder(journal, "run")
    for record in RECORDS[:2]:
        recorder.add(record)
    recorder.close()
    path = files(journal)[0]
    whole = path.read_bytes()
    said = []
    for at in range(len(whole)):
        for bits in (0x01, 0x55, 0xFF):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])
            try:
                assert list(journal.records("run", 2)) == RECORDS[:2]  # a byte of a header may mean nothing
            except ArchiveError as error:
                said.append(str(error))
    assert len(said) > len(whole)
    assert [error for error in said if str(journal.folder) not in error] == []


def test_files_that_are_none_of_its_own_are_passed_over(journal):
    kept(journal)
    for name in ("junk.zst", "run-x.zst.part", "run-1.txt", "notes.txt"):
        (journal.folder / name).write_bytes(b"x")
    assert list(journal.records("run", len(RECORDS))) == RECORDS


def test_no_link_that_lies_where_a_file_is_made_is_written_through(journal, tmp_path):
    journal.folder.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (journal.folder / "run-000000000.zst").symlink_to(victim)
    with pytest.raises(ArchiveError, match="cannot keep"):
        Recorder(journal, "run").add(RECORDS[0])
    assert victim.read_text() == "untouched"
