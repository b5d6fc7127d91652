"""Where an answer goes: the format that a name asks for, and what becomes of what has the name already."""

import gzip
import os
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path

import click
import pytest

from condvest.batch_layer.shared.errors import UsageError
from condvest.cli.options import _file_or_output
from condvest.cli.output import destination
from condvest.cli.output.destination import format_for, opened


@pytest.mark.parametrize(
    ("name", "asked", "written"),
    [
        (None, None, "table"),
        (None, "parquet", "parquet"),
        ("a.csv", None, "csv"),
        ("a.CSV.GZ", None, "csv"),
        ("a.json", None, "json"),
        ("a.ndjson.gz", None, "json"),
        ("z.PARQUET", None, "parquet"),
        ("a.b.parquet", None, "parquet"),
        ("data.txt", "csv", "csv"),
        ("data.txt.gz", "json", "json"),
        ("data", "parquet", "parquet"),
        ("/dev/null", None, "csv"),
        ("data", None, "csv"),
        ("data.gz", None, "csv"),
        (".csv", None, "csv"),
        (".parquet", None, "parquet"),
        (".JSON.gz", None, "json"),
        (".gz", None, "csv"),
        ("a.parquet", "csv", "csv"),
        ("/dev/null", "json", "json"),
    ],
)
def test_the_suffix_or_the_option_names_the_format(name, asked, written):
    assert format_for(None if name is None else Path(name), asked) == written


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("x.xlsx", None, r"the suffix \.xlsx of x\.xlsx names no format"),
        ("a.csv.zip", None, "names no format"),
        (".hidden", None, "names no format"),
        ("a.", None, "names no format"),
        ("a.parquet.gz", None, "compressed already"),
        ("a.gz", "parquet", "compressed already"),
        ("a.csv", "table", "a table is for the screen"),
    ],
)
def test_a_name_that_asks_for_what_cannot_be_is_refused(name, asked, said):
    with pytest.raises(UsageError, match=said):
        format_for(Path(name), asked)


def test_a_dash_in_a_folder_is_a_file():
    """``./-``, as any command takes it; `Path` alone makes ``-`` of it."""
    assert _file_or_output(None, None, "-") is None
    assert _file_or_output(None, None, "./-") == Path("-")


def write(path, content=b"whole\n"):
    with opened(path) as sink:
        sink.write(content)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "new.csv")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new.csv") == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_a_file_keeps_its_mode(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before, and longer than what comes\n")
    path.chmod(0o600)
    write(path)
    assert (path.read_bytes(), mode(path)) == (b"whole\n", 0o600)


def test_a_file_is_whole_or_as_before(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before\n")
    with suppress(RuntimeError), opened(path) as sink:
        sink.write(b"half")
        sink.flush()
        assert path.read_text() == "before\n"
        raise RuntimeError
    assert path.read_text() == "before\n"
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    for name in ("there.csv", "to-come.csv"):
        (tmp_path / name).symlink_to(tmp_path / "far" / name)
    (tmp_path / "far/there.csv").write_text("before\n")
    for name in ("there.csv", "to-come.csv"):
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "far" / name).read_bytes() == b"whole\n"


def test_every_name_of_a_file_has_the_answer(tmp_path):
    (tmp_path / "a.csv").write_text("before, and longer than what comes\n")
    (tmp_path / "b.csv").hardlink_to(tmp_path / "a.csv")
    write(tmp_path / "a.csv")
    assert (tmp_path / "b.csv").read_bytes() == b"whole\n"
    assert (tmp_path / "b.csv").samefile(tmp_path / "a.csv")


def test_a_pipe_is_written_into(tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join(60)
    assert read == [b"whole\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_into():
    write(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


def test_a_link_that_others_laid_is_not_followed(tmp_path, monkeypatch):
    """In a directory for all, somebody has guessed the scratch file's name and laid a link there."""
    monkeypatch.setattr(destination.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / ".a.csv.guessed.part").symlink_to(tmp_path / "victim")
    with pytest.raises(click.FileError):
        write(tmp_path / "a.csv")
    assert not (tmp_path / "victim").exists()


def test_of_two_writers_each_writes_a_whole_answer_and_the_last_stays(tmp_path):
    path = tmp_path / "a.csv"
    with opened(path) as first, opened(path) as second:
        for _ in range(3):
            first.write(b"first\n" * 10_000)
            second.write(b"second\n" * 9_000)
    assert path.read_bytes() == b"first\n" * 30_000
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_gz_compresses_and_the_same_answer_gives_the_same_bytes(tmp_path):
    for name in ("a.csv.gz", "b.csv.GZ"):
        write(tmp_path / name, b"symbol\nAAPL\n")
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == b"symbol\nAAPL\n"
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.GZ").read_bytes()


@pytest.mark.parametrize("name", ["missing/a.csv", "folder.csv", "loop.csv", "nowhere.csv", "socket.csv"])
def test_what_cannot_be_written_is_named(tmp_path, name, monkeypatch):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "missing" / "a.csv")
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.csv")
    before = {path.name: path.lstat().st_ino for path in tmp_path.iterdir()}
    with pytest.raises(click.FileError) as refused:
        write(tmp_path / name)
    assert name in refused.value.format_message()
    assert {path.name: path.lstat().st_ino for path in tmp_path.iterdir()} == before
