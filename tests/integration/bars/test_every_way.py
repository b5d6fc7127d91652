"""The same question gets the same answer to the bit, whatever it is asked of and in whatever form.

From the database and from published files, within Python and over HTTP, in each format and in pages.
"""

import asyncio
import csv
import datetime as dt
import io
import json
import random
from dataclasses import replace

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from condvest.serving_layer.http.guarding.guards import Rules
from tests.support.publishing import from_database, from_files

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
FIRST, DAYS = dt.date(2000, 3, 1), 4_748
QUESTIONS = 300
FORMATS = ("json", "columns", "ndjson", "csv", "arrow", "parquet")


def question(chance):
    """Return a question about bars: most are about some symbols and years, some about everything."""
    asked = {"interval": chance.choice([1, 3, 5, 8, 13, 21, 34, chance.randint(2, 252)])}
    if chance.random() < 0.9:
        asked["symbols"] = chance.sample(SYMBOLS, chance.randint(1, 3))
    low, high = sorted(chance.randrange(-100, DAYS + 100) for _ in range(2))
    if chance.random() < 0.7:
        asked["start"] = FIRST + dt.timedelta(max(low, 0))
    if chance.random() < 0.7:
        asked["end"] = FIRST + dt.timedelta(max(high, 0))
    if chance.random() < 0.6:
        asked["adjust"] = chance.choice(["none", "splits", "total"])
    if chance.random() < 0.3:
        asked["anchor"] = "listing"
    if chance.random() < 0.4:
        asked["include_open"] = True
    if chance.random() < 0.3:
        asked["unique_symbols"] = True
    if chance.random() < 0.3:
        asked["as_of"] = chance.choice(["2000-01-01", "2099-12-31"])
    if "symbols" in asked and chance.random() < 0.2:
        asked["symbols_on"] = FIRST + dt.timedelta(max(low, 0))
    return asked


@pytest.fixture(scope="module")
def ways(sample, sample_target):
    """Functions that give the pages of an answer over HTTP, from the database and from what is published."""
    settings = replace(sample.workspace.settings, published_at=sample_target.name)
    backends = [DatabaseBackend(settings), PublishedBackend(settings)]
    apps = [create_app(backend, Rules(), lambda _: None) for backend in backends]

    def asking(app):
        async def ask(pairs):
            pages, url = [], "/v1/bars"
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                while url:
                    answer = await client.get(url, params=pairs)
                    assert answer.status_code == 200, answer.text
                    pages.append(answer)
                    link, pairs = answer.headers.get("link"), None
                    url = link and link[1 : link.index(">")]
            return pages

        return lambda pairs: asyncio.run(ask(pairs))

    yield {"database": asking(apps[0]), "published": asking(apps[1])}
    for backend in backends:
        backend.close()


def pairs_of(asked, shape, limit):
    """Return the parameters of a query."""
    pairs = [("format", shape), ("limit", str(limit))]
    for name, value in asked.items():
        if name == "symbols":
            pairs += [("symbol", symbol) for symbol in value]
        else:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return pairs


def table_of(pages, shape, schema):
    """Return the rows of pages of one format, every value of the type that the schema says."""
    return pa.concat_tables([_table_of(page, shape, schema) for page in pages]).combine_chunks()


def _table_of(page, shape, schema):
    if shape == "arrow":
        return pa.ipc.open_stream(page.content).read_all().replace_schema_metadata(None)
    if shape == "parquet":
        return pq.read_table(io.BytesIO(page.content)).replace_schema_metadata(None)
    if shape == "json":
        rows = page.json()["rows"]
    elif shape == "ndjson":
        rows = [json.loads(line) for line in page.text.splitlines()]
    elif shape == "columns":
        columns = page.json()["columns"]
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    else:
        rows = [
            {name: _of_text(value, schema.field(name).type) for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(page.text, newline=""))
        ]
    assert all(list(row) == schema.names for row in rows)
    columns = {field.name: [_of_json(row[field.name], field.type) for row in rows] for field in schema}
    return pa.table(columns, schema=schema)


def _of_json(value, kind):
    return dt.date.fromisoformat(value) if value is not None and pa.types.is_date(kind) else value


def _of_text(value, kind):
    if value == "":
        return None
    if pa.types.is_boolean(kind):
        return {"true": True, "false": False}[value]
    if pa.types.is_floating(kind):
        return float(value)
    return int(value) if pa.types.is_integer(kind) else value


def check(seed, sample, target, ways, shapes):
    chance = random.Random(seed)
    asked = question(chance)
    known = (
        {"as_of": dt.datetime.fromisoformat(f"{asked['as_of']}T23:59:59.999999+00:00")}
        if "as_of" in asked
        else {}
    )
    if "start" in asked and "end" in asked and asked["start"] > asked["end"]:
        asked["start"], asked["end"] = asked["end"], asked["start"]
    wanted = from_database(sample, **asked | known)
    if "as_of" not in asked:
        assert from_files(target, **asked).equals(wanted), asked
    for (name, ask), shape in zip(ways.items(), shapes(chance), strict=True):
        limit = max(len(wanted) // chance.randint(1, 4), 1) + chance.randint(0, 3)
        pages = ask(pairs_of(asked, shape, limit))
        got = table_of(pages, shape, wanted.schema)
        assert got.equals(wanted.combine_chunks()), (seed, name, shape, asked)
        assert len({page.headers["condvest-version"] for page in pages}) == 1
    return len(wanted)


def test_every_question_has_one_answer(sample, sample_target, ways):
    """Each from both sources over HTTP, in one format each."""
    rows = sum(
        check(seed, sample, sample_target, ways, lambda chance: chance.choices(FORMATS, k=2))
        for seed in range(QUESTIONS)
    )
    assert rows > 50 * QUESTIONS


@pytest.mark.long
@pytest.mark.parametrize("shape", FORMATS)
def test_every_question_has_one_answer_in_each_format(sample, sample_target, ways, shape):
    for seed in range(QUESTIONS):
        check(seed, sample, sample_target, ways, lambda _: (shape, shape))
