"""The memory of one input of at most 10 MB, whatever it unpacks to: under 1 GiB.

Every input is made here, small and harmless on the disk. One process each, so that the peak is its own.
"""

import gzip
import io
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

HEADER = "symbol,session,open,high,low,close,volume\n"
ROW = "A,2024-01-03,1,1,1,1,1\n"
MOST_BYTES = 10_000_000
MOST_MEMORY = 1 << 30

LOAD = """
import datetime as dt, pathlib, sys
import numpy as np
from condvest.batch_layer.fetching.quality import judge_bars
from condvest.batch_layer.shared.clients.parsing import parse
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.given.payloads import Payload
from tests.support.judged import LAST_CLOSED, SESSIONS

provider, media, dataset, path = sys.argv[1:]
content, day = pathlib.Path(path).read_bytes(), dt.date(2024, 1, 3)
payload = Payload(provider, dataset, content, media, day, day, dt.datetime(2024, 1, 4, tzinfo=dt.UTC),
                  is_whole=False, name="input")
try:
    parsed = parse(payload)
    if isinstance(parsed.rows, BarRows):
        verdict = judge_bars(parsed.rows, parsed.faults, SESSIONS, LAST_CLOSED)
    print("read", len(parsed.rows))
except InputError as error:
    print("refused", error)
"""
"""What a load does before it asks the database, by the real parsers."""

PEAK = """
import pathlib, resource, sys
if sys.platform == "darwin":
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
else:
    status = pathlib.Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) * 1024, file=sys.stderr)
"""
"""The peak of the program alone; what Linux tells a parent counts its own memory before the program began."""


def peak_of(tmp_path, content, provider="file", media="csv", dataset="daily_bars"):
    """Return what came of an input, in a word and the rest, and the bytes of memory that its process took."""
    assert len(content) <= MOST_BYTES
    path = tmp_path / "input"
    path.write_bytes(content)
    ran = subprocess.run(
        [sys.executable, "-c", LOAD + PEAK, provider, media, dataset, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return *ran.stdout.split(" ", 1), int(ran.stderr)


def packed(text):
    return gzip.compress(text.encode(), 1, mtime=0)


def plain(rows, columns=0):
    return (HEADER[:-1] + "," * columns + "\n" + rows).encode()


def written(rows, *, encoding="PLAIN", **columns):
    """Return a Parquet file of so many rows of one bar, some of its columns others."""
    plain = {name: pa.array(np.ones(rows)) for name in ("open", "high", "low", "close", "volume")}
    days = pa.array(np.full(rows, np.datetime64("2024-01-03", "D")))
    table = pa.table({"symbol": pa.array(["A"] * rows), "session": days, **plain, **columns})
    file = io.BytesIO()
    dictionary = [name for name in table.column_names if encoding == "PLAIN" or name not in columns]
    encodings = None if encoding == "PLAIN" else dict.fromkeys(columns, encoding)
    pq.write_table(table, file, use_dictionary=dictionary, column_encoding=encodings, compression="zstd")
    return file.getvalue()


def repeated(rows, size):
    """Return a column of one long text, told once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), ["x" * size])


INPUTS = {
    "gzip of one row": lambda: packed(HEADER + ROW * 2_500_000),
    "gzip of blank lines": lambda: packed(HEADER + ROW + "\n" * 5_000_000 + ROW),
    "gzip of empty cells": lambda: packed(HEADER + ",,,,,,\n" * 1_500_000),
    "gzip of a column of words": lambda: packed(HEADER + "A,2024-01-03,x,1,1,1,1\n" * 1_000_000),
    "empty cells": lambda: plain(",,,,,,\n" * 1_200_000),
    "400,000 columns": lambda: plain(ROW, columns=400_000),
    "16,000 columns": lambda: plain((ROW[:-1] + "," * 16_000 + "\n") * 500, columns=16_000),
    "text told once, of a column not wanted": lambda: written(30_000, note=repeated(30_000, 100_000)),
    "text told once, of a symbol": lambda: written(30_000, symbol=repeated(30_000, 100_000)),
    "texts that begin as the one before": lambda: written(
        3_000, encoding="DELTA_BYTE_ARRAY", symbol=pa.array(["x" * 100_000] * 3_000)
    ),
    "bytes of a fixed length": lambda: written(
        3_000, symbol=pa.array([b"x" * 100_000] * 3_000, pa.binary(100_000))
    ),
    "a million and a half of rows": lambda: written(1_500_000),
    "lists in the place of numbers": lambda: written(
        1_000, open=pa.array([[1.0] * 5_000] * 1_000, pa.list_(pa.float64()))
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_small_file_takes_no_gigabyte(tmp_path, name):
    """Most would take several, were they read to their end: all but what does no harm is refused."""
    word, said, peak = peak_of(tmp_path, INPUTS[name]())
    assert (word, peak < MOST_MEMORY) == (
        "read" if "16,000" in name or "not wanted" in name else "refused",
        True,
    )
    if word == "refused":
        assert said.startswith("input: ")


def test_a_file_at_its_bounds_is_read_within_a_gigabyte(tmp_path):
    """As many rows, and as much text, as are read of a file of nearly 10 MB: noise fills it up."""
    text = HEADER[:-1] + ",note\n" + "A,2024-01-03,1,1,1,1,1,\n" * 2_300_000
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as out:
        out.write(text.encode())
    filler = np.random.default_rng(1).integers(97, 123, 14_500_000, dtype=np.uint8).tobytes().decode()
    lines = "".join(
        f"A,2024-01-03,1,1,1,1,1,{filler[at : at + 500_000]}\n" for at in range(0, 14_500_000, 500_000)
    )
    content = file.getvalue() + packed(lines)
    word, rows, peak = peak_of(tmp_path, content)
    assert (word, int(rows)) == ("read", 2_300_029)
    assert peak < MOST_MEMORY


PORTIONS = """
import datetime as dt, pathlib, sys
from condvest.batch_layer.shared.clients.files import divided, read_payload
from condvest.batch_layer.shared.clients.files.unpacking import contents

contents.IN_MEMORY = 1 << 20
payload = read_payload(sys.argv[1], provider="file", dataset="daily_bars", now=dt.datetime.now(dt.UTC))
print(sum(len(portion.rows) for portion in divided(payload).portions), len(payload.digest))
"""


def test_a_large_file_takes_no_more_memory_than_one_half_as_large(tmp_path):
    """By session, so that each symbol is all over the file."""
    peaks, path = [], tmp_path / "bars.csv.gz"
    for rows in (400_000, 800_000):
        number = np.arange(rows)
        price = np.random.default_rng(rows).lognormal(3, 1, rows).round(2)
        columns = {
            "open": price,
            "high": price + 1,
            "low": price,
            "close": price + 0.5,
            "volume": price * 1e6,
        }
        dates = np.datetime64("2000-01-03", "D") + number // 1_000
        symbols = pa.array(np.char.add("S", (number % 1_000).astype(str)))
        with gzip.open(path, "wb", compresslevel=1) as file:
            pa_csv.write_csv(pa.table({"symbol": symbols, "session": dates, **columns}), file)
        ran = subprocess.run(
            [sys.executable, "-c", PORTIONS + PEAK, str(path)], capture_output=True, text=True, check=True
        )
        assert ran.stdout.split() == [str(rows), "64"]
        peaks.append(int(ran.stderr))
    assert peaks[1] - peaks[0] < 32 << 20
    assert max(peaks) < 400 << 20


def answer(results):
    return f'{{"status":"OK","resultsCount":0,"results":[{results}]}}'.encode()


@pytest.mark.parametrize(
    ("provider", "content"),
    [
        ("massive", answer("[]," * 2_500_000 + "[]")),
        ("massive", answer("{}," * 2_500_000 + "{}")),
        ("massive", answer(",".join(f'{{"k{n}":{n}}}' for n in range(190_000)))),
        ("yahoo", json.dumps({"chart": {"result": [{}] * 2_000_000}}).encode()),
        ("yahoo", b'{"chart":{"result":[' + b"[]," * 2_000_000 + b"[]]}}"),
    ],
)
def test_a_small_answer_takes_no_gigabyte(tmp_path, provider, content):
    dataset = "chart" if provider == "yahoo" else "daily_bars"
    word, _, peak = peak_of(tmp_path, content, provider, "json", dataset)
    assert word in ("read", "refused")
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("dataset", ["splits", "dividends", "instruments", "symbols"])
def test_a_small_list_takes_no_gigabyte(tmp_path, dataset):
    """Rows without a value take the most memory for their bytes; so many pages come of any list."""
    content = answer("{}," * 2_500_000 + "{}")
    word, _, peak = peak_of(tmp_path, content, "massive", "json", dataset)
    assert word in ("read", "refused")
    assert peak < MOST_MEMORY


@pytest.mark.parametrize(
    ("provider", "dataset", "header", "row"),
    [
        (
            "massive",
            "daily_bars",
            "ticker,volume,open,close,high,low,window_start,transactions",
            "A,1,1,1,1,1,1704258000000000000,1",
        ),
        ("file", "splits", "symbol,ex_date,split_from,split_to", "A,2024-01-03,1,2"),
        ("file", "dividends", "symbol,ex_date,cash_amount", "A,2024-01-03,1"),
    ],
)
def test_a_small_gzip_of_a_flat_file_or_a_list_takes_no_gigabyte(tmp_path, provider, dataset, header, row):
    content = packed(header + "\n" + (row + "\n") * 3_000_000)
    word, said, peak = peak_of(tmp_path, content, provider, "csv.gz", dataset)
    assert (word, peak < MOST_MEMORY) == ("refused", True)
    assert said.startswith("input: unpacks to more than")


def test_the_peak_of_a_process_is_seen():
    """The measure itself: a process that takes 1.2 GiB is found to."""
    program = "b = bytearray(b'x') * (1200 << 20)\n" + PEAK
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(ran.stderr) > MOST_MEMORY
