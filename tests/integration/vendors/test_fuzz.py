"""Whatever a vendor answers or a file holds ends as loaded or refused, never in an error of ours.

By default some hundred cases of each kind; `make fuzz` runs the same for minutes.
"""

import datetime as dt
import gzip
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.massive import json_seq
from condvest.batch_layer.shared.clients.parsing import parse
from condvest.batch_layer.shared.clients.yahoo.chart import read_chart
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Payload
from tests.support.payloads import BARS, SPLITS, bar, bars_payload, csv_of, parquet_payload, split
from tests.support.strategies.spoilt import spoilt_bytes, spoilt_json
from tests.unit.clients.yahoo.test_yahoo_parse import chart

MASSIVE = Path(__file__).parents[2] / "payloads/massive"
SESSION = dt.date(2024, 1, 3)
ROWS = [bar(symbol, day, trades=5) for symbol in ("AA", "BB") for day in ("2024-01-02", "2024-01-03")]
NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
GOOD = Payload("file", "daily_bars", b"", "csv", None, None, NOW, is_whole=False, name="f")


def of_file(content):
    return replace(GOOD, content=content)


def of_massive(name):
    return json.loads((MASSIVE / name).read_text())


LISTS = {
    "splits": "splits_v1.json",
    "dividends": "dividends_v1.json",
    "instruments": "tickers.json",
    "symbols": "events.json",
}
GROUPED_DAY = dt.date(2020, 10, 14)

payloads = st.one_of(
    spoilt_json(of_massive("grouped.json")).map(
        lambda body: replace(
            GOOD,
            provider="massive",
            content=body,
            media="json",
            first_session=GROUPED_DAY,
            last_session=GROUPED_DAY,
            is_whole=True,
        )
    ),
    *(
        spoilt_json(of_massive(file)).map(
            lambda body, dataset=dataset: replace(
                GOOD, provider="massive", dataset=dataset, content=json_seq.join([body]), media="json-seq"
            )
        )
        for dataset, file in LISTS.items()
    ),
    spoilt_json(chart()).map(
        lambda body: replace(GOOD, provider="yahoo", dataset="chart", content=body, media="json")
    ),
    spoilt_bytes(csv_of(BARS, ROWS)).map(of_file),
    spoilt_bytes(csv_of(SPLITS, [split("AA", "2024-01-03")])).map(
        lambda content: replace(GOOD, dataset="splits", content=content)
    ),
    spoilt_bytes(gzip.compress(csv_of(BARS, ROWS), mtime=0)).map(of_file),
    spoilt_bytes(parquet_payload(ROWS).content).map(of_file),
)


@given(payload=payloads)
def test_whatever_comes_is_read_or_refused(payload):
    tables = ()
    with suppress(InputError):
        parsed = parse(payload)
        tables = (parsed, *parsed.also)
    for table in tables:
        assert all(0 <= row < len(table.rows) for row in table.faults)
        assert table.source.num_rows == len(table.rows)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings().max_examples // 4
)
@given(payload=payloads)
def test_whatever_comes_is_loaded_or_refused(world, payload):
    """In a rehearsal: all that a load asks of the database, and nothing of it kept."""
    if not world.number("SELECT count(*) FROM loads"):
        world.load(bars_payload(ROWS))
    try:
        summary = world.workspace.loader(world.sessions, rehearsal=True).load(payload)
    except InputError:
        return
    if payload.dataset not in LISTS:
        stored = summary.inserted + summary.changed + summary.unchanged + summary.outranked
        assert stored + summary.duplicates + sum(summary.refused.values()) == summary.rows


def test_a_good_payload_passes_the_same_way(world):
    """What is spoilt above is good before."""
    assert len(parse(replace(GOOD, content=csv_of(BARS, ROWS))).rows) == len(ROWS)
    assert read_chart(json.dumps(chart()).encode(), name="f").symbol == "HAND"
    assert world.load(bars_payload(ROWS), rehearsal=True).inserted == len(ROWS)
