"""A large file, read in portions, is loaded to the same as when it is read whole."""

import errno
import gzip
import io
import os
import random
from dataclasses import replace

import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from condvest.batch_layer.database.postgres import replacing
from condvest.batch_layer.database.stores.daily import first_daily_bars
from condvest.batch_layer.shared.clients.files import dividing, spool
from condvest.batch_layer.shared.clients.files.unpacking import unpack
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from tests.support.databases.catalogue import CATALOGUE
from tests.support.payloads import bar, bars_payload

NAME = (
    "(SELECT string_agg(symbol || valid_from, ' ' ORDER BY valid_from) FROM symbols "
    "WHERE symbols.instrument_id = t.instrument_id)"
)
HELD = {
    "daily_bars": f"{NAME}, ordinal, open, high, low, close, volume, vwap, trades, load_id",
    "daily_bar_revisions": f"{NAME}, ordinal, close, volume, vwap, trades, load_id, superseded_by",
    "instrument_providers": f"{NAME}, provider_id, first_load_id",
    "changes": f"{NAME}, provider_id, first_ordinal, last_ordinal",
    "loads": "load_id, provider_id, dataset, name, digest, fetched_at, rows, inserted, changed, unchanged, "
    "withdrawn, outranked, duplicates, refused",
    "ledger": "t",
    "refused_rows": "t",
}
"""What is compared; instruments by their symbols: they are numbered in the order in which they are made."""

SYMBOLS = ["A", "AA", "BRK.B", "BRK-B", "brk.b", "C", "ZZZ", "S1", "S2", "S3", "T"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Take a file of more than eight rows for a large one, and 200 bytes for a block."""
    monkeypatch.setattr(dividing, "ROWS_A_PORTION", 8)
    monkeypatch.setattr(unpack, "BLOCK", 200)


def held(world):
    return {
        name: world.ask(f"SELECT ({columns})::text FROM {name} AS t ORDER BY 1" if columns == "t" else
                        f"SELECT ROW({columns})::text FROM {name} AS t ORDER BY 1")
        for name, columns in HELD.items()
    }  # fmt: skip


def rows_of(drawn, world, version):
    """Return sound rows, copies, contradictions, and rows that are refused for what they say."""
    rows = []
    for symbol in SYMBOLS:
        for at in range(drawn.randint(0, 12)):
            row = bar(symbol, world.date(at), version if drawn.random() < 0.3 else 0)
            rows.append(row)
            kind = drawn.random()
            if kind < 0.05:
                rows.append(dict(row))
            elif kind < 0.1:
                rows.append(row | {"volume": row["volume"] + 1})
            elif kind < 0.15:
                row["open"] = drawn.choice(["x", "", "nan", 0, -1])
            elif kind < 0.18:
                row["session"] = drawn.choice(["2024-06-01", "", "soon", "2100-01-01", "1900-01-01"])
            elif kind < 0.2:
                row["symbol"] = drawn.choice(["", "a b", " A ", "é", "A" * 40])
    if drawn.random() < 0.5:
        drawn.shuffle(rows)
    return rows


def packed(payload, media):
    if media == "csv":
        return payload
    if media == "csv.gz":
        return replace(payload, content=gzip.compress(payload.content, mtime=0), media=media)
    text = pa_csv.ConvertOptions(column_types=dict.fromkeys(("open", "session", "symbol"), pa.string()),
                                 strings_can_be_null=False)  # fmt: skip
    file = io.BytesIO()
    table = pa_csv.read_csv(pa.BufferReader(payload.content), convert_options=text)
    pq.write_table(table, file, row_group_size=7)
    return replace(payload, content=file.getvalue(), media=media)


def loaded(world, payloads, *, in_portions):
    """Return the summaries of payloads loaded one after the other, and what is held then."""
    summaries = []
    for payload in payloads:
        loader = world.loader()
        if not in_portions:
            loader = replace(loader, divide=None)
        else:
            assert loader.divide(payload) is not None
        summaries.append(replace(loader.load(payload), seconds={}))
    everything = held(world)
    world.empty()
    return summaries, everything


@pytest.mark.parametrize("media", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("seed", range(2))
def test_a_file_in_portions_is_loaded_to_the_same_as_whole(world, media, seed):
    """New, corrected, the same again, and by another provider, which takes instruments over."""
    drawn = random.Random(seed)
    payloads = [packed(bars_payload(rows_of(drawn, world, version)), media) for version in range(3)]
    payloads.append(payloads[-1])
    payloads.append(packed(bars_payload(rows_of(drawn, world, 4), provider="mine"), media))
    payloads = [
        replace(each, fetched_at=each.fetched_at.replace(second=at)) for at, each in enumerate(payloads)
    ]
    whole, in_whole = loaded(world, payloads, in_portions=False)
    portions, in_portions = loaded(world, payloads, in_portions=True)
    assert in_portions == in_whole
    for one, other in zip(portions, whole, strict=True):
        assert sorted(one.notices) == sorted(other.notices)
        assert replace(one, notices=()) == replace(other, notices=())
    assert sum(summary.rows for summary in whole) > 100


def test_refused_rows_alone_are_recorded_once_and_then_no_news(world):
    """The first portions bring nothing new before a later one does."""
    rows = [bar(symbol, world.date(at)) for symbol in SYMBOLS for at in range(3)]
    bad = [bar("A", world.date(5), open="x"), bar("T", world.date(5), open="x")]
    first, second = bars_payload(rows + bad), bars_payload([*rows, *bad, bar("T", world.date(6))])
    for payload in (first, second, second):
        loader = world.loader()
        assert loader.divide(payload) is not None
        loader.load(payload)
    assert world.ask("SELECT load_id, inserted, refused FROM loads ORDER BY 1") == [(1, 33, 2), (2, 1, 2)]
    assert world.number("SELECT count(*) FROM refused_rows") == 4


def test_a_rehearsal_says_the_same_and_stores_nothing(world):
    payload = bars_payload([bar(symbol, world.date(at)) for symbol in SYMBOLS for at in range(3)])
    said = world.loader(rehearsal=True).load(payload)
    assert (said.rows, said.inserted, said.sessions) == (33, 33, 3)
    assert held(world) == {name: [] for name in HELD}
    assert replace(world.loader().load(payload), seconds={}) == replace(said, seconds={})


def test_symbols_that_followed_each_other_are_one_instrument(world):
    """Their rows are in portions of their own, and go to one history."""
    world.bars([bar("FB", world.date(at)) for at in range(3)])
    world.ask("UPDATE symbols SET valid_to = %s WHERE symbol = 'FB' RETURNING 1", world.date(4))
    world.ask(
        "INSERT INTO symbols (symbol, valid_from, instrument_id) "
        "SELECT 'META', %s, instrument_id FROM symbols WHERE symbol = 'FB' RETURNING 1", world.date(5)
    )  # fmt: skip
    payload = bars_payload(
        [bar("FB" if at < 5 else "META", world.date(at)) for at in range(10)]
        + [bar(symbol, world.date(0)) for symbol in SYMBOLS]
    )
    assert world.loader().divide(payload) is not None
    assert world.loader().load(payload).inserted == 7 + len(SYMBOLS)
    assert world.number("SELECT count(*) FROM daily_bars WHERE instrument_id = 1") == 10


def test_split_adjusted_prices_are_brought_back_in_each_portion(world):
    values = {"close": 100.0, "low": 1.0, "high": 200.0}
    rows = [bar(symbol, world.date(at), **values) for symbol in SYMBOLS for at in range(4)]
    options = FileOptions(prices="split-adjusted", splits=(("A", world.date(2).isoformat(), 4.0),))
    payload = replace(bars_payload(rows), options=options)
    assert world.loader().divide(payload) is not None
    world.loader().load(payload)
    closes = (
        "SELECT close FROM daily_bars JOIN symbols USING (instrument_id) WHERE symbol = %s ORDER BY ordinal"
    )
    assert world.ask(closes, "A") == [(400.0,), (400.0,), (100.0,), (100.0,)]
    assert world.ask(closes, "T") == [(100.0,)] * 4


def lines(world, *extra):
    rows = [bar(symbol, world.date(at)) for symbol in SYMBOLS for at in range(9)]
    return bars_payload(rows).content + b"".join(extra)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (b"A,2024-06-03,1\n", r"line 101 has 3 fields where the header has 9"),
        (b'"A,2024-06-03,1,1,1,1,1,1,1\n', "line 101 has a quotation mark"),
        (b"A,\0", "a NUL in line 101"),
        (b"\n\n\xff,", r"line 103 has the byte 0xff"),
        (b"A" * (1 << 21) + b"\n", "line 101 is longer than 1,048,576 bytes"),
        (b"A" * (1 << 21), "line 101 is longer than 1,048,576 bytes"),
    ],
)
def test_a_line_that_is_no_row_is_named_with_its_number_in_the_file(world, extra, message):
    payload = replace(bars_payload([]), content=lines(world, extra))
    for loader in (world.loader(), replace(world.loader(), divide=None)):
        with pytest.raises(InputError, match=message):
            loader.load(payload)
    assert held(world) == {name: [] for name in HELD}
    assert len(world.archive.payloads) == 1


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("tail", [b"", b"\n\n \n", b"  \n   "])
def test_line_ends_marks_and_blank_lines_make_no_difference(world, monkeypatch, ending, tail):
    """Wherever a block ends."""
    content = b"\xef\xbb\xbf\n" + lines(world, b"\n", b"A,2024-06-03,1,1,1,1,1,1,1\n", tail)
    payload = replace(bars_payload([]), content=content.replace(b"\n", ending))
    whole = unpack.text_of(payload.content, name="x")
    for size in (8, 64, 199, 5000, 1 << 20):
        monkeypatch.setattr(unpack, "BLOCK", size)
        blocks = list(unpack.blocks_of(payload.content, name="x"))
        assert b"".join(block.text for block in blocks).rstrip(b" \n") == whole
        assert all(block.text.endswith(b"\n") for block in blocks[:-1])
        lines_so_far = 0
        for block in blocks:
            assert block.lines_before == lines_so_far
            lines_so_far += block.text.count(b"\n")


def test_a_truncated_file_stores_nothing_and_is_archived(world):
    content = gzip.compress(lines(world))
    payload = replace(bars_payload([]), content=content[:-20], media="csv.gz")
    with pytest.raises(InputError, match="download it again"):
        world.loader().load(payload)
    assert held(world) == {name: [] for name in HELD}
    assert len(world.archive.payloads) == 1


def test_a_disk_without_room_for_the_rows_is_told_with_what_to_do(world, monkeypatch):
    def refuse(**_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spool.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"No space left on device.*name another folder by TMPDIR"):
        world.loader().load(replace(bars_payload([]), content=lines(world)))
    assert held(world) == {name: [] for name in HELD}


def test_the_tables_of_a_first_import_are_as_those_before_and_so_are_the_rights(world):
    """Their names, keys, checks, triggers and partitions, in words of PostgreSQL itself."""
    before = world.ask(CATALOGUE)
    tables = "SELECT oid FROM pg_class WHERE relname = 'daily_bars_3'"
    was = world.ask(tables)
    world.looking.execute("GRANT SELECT ON daily_bars_3 TO PUBLIC")
    world.loader().load(replace(bars_payload([]), content=lines(world)))
    assert world.ask(CATALOGUE) == before
    assert world.ask(tables) != was
    may = "SELECT has_table_privilege('public', %s, 'SELECT')"
    assert world.ask(may, "daily_bars_3") == [(True,)]
    assert world.ask(may, "daily_bars_4") == [(False,)]
    world.looking.execute("REVOKE ALL ON daily_bars_3 FROM PUBLIC")


def test_bars_that_no_ledger_knows_stay(world):
    """Nothing makes such a store but a hand in the database; a file's bars do not take their place."""
    world.loader().load(bars_payload([bar("KO", world.date(0))]))
    world.looking.execute("DELETE FROM ledger")
    world.loader().load(replace(bars_payload([]), content=lines(world)))
    assert world.number("SELECT count(*) FROM daily_bars") == 1 + 9 * len(SYMBOLS)


def test_readers_who_do_not_pause_are_not_waited_for(world, monkeypatch):
    """The rows go into the tables that these read; meanwhile they see none of them."""
    monkeypatch.setattr(replacing, "PATIENCE", "1ms")
    monkeypatch.setattr(first_daily_bars, "_TRIES", 2)
    before = world.ask(CATALOGUE)
    with psycopg.connect(world.url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        count = "SELECT count(*) FROM daily_bars"
        assert reader.execute(count).fetchone() == (0,)
        world.loader().load(replace(bars_payload([]), content=lines(world)))
        assert reader.execute(count).fetchone() == (0,)
    assert world.number(count) == 9 * len(SYMBOLS)
    assert world.ask(CATALOGUE) == before


def test_a_reader_with_an_earlier_snapshot_sees_no_row_of_the_new_tables(world):
    with psycopg.connect(world.url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT count(*) FROM loads")  # takes the snapshot, and no lock of the bars
        world.loader().load(replace(bars_payload([]), content=lines(world)))
        assert reader.execute("SELECT count(*) FROM daily_bars").fetchone() == (0,)
    assert world.number("SELECT count(*) FROM daily_bars") == 9 * len(SYMBOLS)


def test_two_symbols_of_one_instrument_in_a_session_are_refused_by_a_first_import_too(world):
    """META follows FB within one instrument; the file has both of the second session."""
    world.looking.execute("INSERT INTO instruments (instrument_id) OVERRIDING SYSTEM VALUE VALUES (900)")
    world.looking.execute(
        "INSERT INTO symbols (symbol, valid_from, valid_to, instrument_id) "
        "VALUES ('FB', '-infinity', %(then)s, 900), ('META', %(then)s, 'infinity', 900)",
        {"then": world.date(1)},
    )
    rows = [bar("FB", world.date(at)) for at in range(2)] + [
        bar("META", world.date(at)) for at in range(1, 3)
    ]
    payload = bars_payload(rows + [bar(symbol, world.date(0)) for symbol in SYMBOLS])
    with pytest.raises(InputError, match="two symbols are of one instrument in the same session"):
        world.loader().load(payload)
    assert held(world) == {name: [] for name in HELD}
