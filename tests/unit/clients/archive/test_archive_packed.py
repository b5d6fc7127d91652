"""How payloads are packed in the archive, and that those of earlier versions stay readable."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from condvest.batch_layer.shared.clients.archive import describe, key_of
from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive
from condvest.batch_layer.shared.errors import ArchiveError
from tests.support.payloads import bars_payload, json_payload, zstd_unpacked

TEXT = bars_payload([])
SESSION = dt.date(2024, 5, 31)


def files_of(root):
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def market_answer(rows):
    """Return a vendor's answer of one session: prices in cents, whole volumes, as the tape has them."""
    drawn = np.random.default_rng(20_240_531)
    price = np.exp(drawn.normal(3.5, 1.0, rows)).round(2)
    moved = [(price * factor).round(2) for factor in 1 + drawn.normal(0, 0.01, (2, rows))]
    symbol = ["".join(letters) for letters in drawn.choice(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (rows, 4))]
    volume, trades = drawn.lognormal(12, 2, rows).astype(int), drawn.lognormal(7, 1.5, rows).astype(int)
    vwap = ((moved[0] + moved[1]) / 2).round(3)
    instant = 1_717_185_600_000
    return [
        {"T": symbol[at], "v": int(volume[at]), "vw": float(vwap[at]), "o": float(moved[0][at]),
         "c": float(moved[1][at]), "h": float(max(moved[0][at], moved[1][at])),
         "l": float(min(moved[0][at], moved[1][at])), "t": instant, "n": int(trades[at])}
        for at in range(rows)
    ]  # fmt: skip


def test_text_is_packed_and_comes_back_as_it_was(tmp_path):
    """As a vendor's service sends it, without blanks: 101 bytes a row."""
    content = json.dumps(market_answer(12_500), separators=(",", ":")).encode()
    archive, payload = DirectoryArchive(tmp_path), replace(json_payload("daily_bars", []), content=content)
    key = archive.keep(payload)
    kept = (tmp_path / f"{key}.zst").read_bytes()
    assert zstd_unpacked(kept) == payload.content
    assert archive.read(key) == payload
    assert files_of(tmp_path) == [Path(key).name + ".json", Path(key).name + ".zst"]
    assert len(kept) <= 28 * 12_500


@pytest.mark.parametrize("media", ["csv.gz", "parquet"])
def test_what_is_packed_already_is_kept_as_it_came(tmp_path, media):
    archive, payload = DirectoryArchive(tmp_path), replace(TEXT, media=media, content=b"\x1f\x8b as it came")
    key = archive.keep(payload)
    assert (tmp_path / key).read_bytes() == payload.content
    assert archive.read(key) == payload


def kept_earlier(root, payload):
    """Keep a payload as versions before 2026-11-29 did: as it came, and not described as packed."""
    key = key_of(payload)
    (root / key).parent.mkdir(parents=True)
    (root / key).write_bytes(payload.content)
    (root / f"{key}.json").write_bytes(describe(payload))
    assert "packed" not in json.loads(describe(payload))
    return key


def test_what_an_earlier_version_kept_is_read_and_stays_as_it_is(tmp_path):
    archive, key = DirectoryArchive(tmp_path), kept_earlier(tmp_path, TEXT)
    assert archive.read(key) == TEXT
    assert archive.keep(TEXT) == key
    assert archive.keep(TEXT, again=True) == key
    assert files_of(tmp_path) == [Path(key).name, Path(key).name + ".json"]


def test_lost_bytes_of_an_earlier_version_are_put_back_as_their_description_says(tmp_path):
    archive, key = DirectoryArchive(tmp_path), kept_earlier(tmp_path, TEXT)
    (tmp_path / key).unlink()
    with pytest.raises(ArchiveError, match="cannot read"):
        archive.read(key)
    archive.keep(TEXT, again=True)
    assert archive.read(key) == TEXT
    assert (tmp_path / key).read_bytes() == TEXT.content


@pytest.mark.parametrize(
    "spoil", [lambda kept: kept[:-1], lambda kept: kept + b"x", lambda _: b"", lambda _: b"x"]
)
def test_packed_bytes_that_were_spoilt_are_an_error_of_the_archive(tmp_path, spoil):
    archive = DirectoryArchive(tmp_path)
    key = archive.keep(TEXT)
    path = tmp_path / f"{key}.zst"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ArchiveError, match="restore it from a backup"):
        archive.read(key)


@pytest.mark.parametrize("packing", ["lzma", 1, ["zstd"]])
def test_a_packing_that_nobody_knows_is_a_damaged_description(tmp_path, packing):
    archive = DirectoryArchive(tmp_path)
    key = archive.keep(TEXT)
    path = tmp_path / f"{key}.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"packed": packing}))
    with pytest.raises(ArchiveError, match=r"description of .* is damaged"):
        archive.read(key)
