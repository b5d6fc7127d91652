"""What the deployed function answers on the emulator, held against the database."""

from __future__ import annotations

import io

import httpx
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from massive import RESTClient

import condvest
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.aws import http_api


def ask_what_was_published(machine, instance, folder, sessions):
    """By the vendor's own client and by what a browser gets, over HTTP, as the database has it."""
    folder.mkdir()
    with psycopg.connect(instance.local) as connection:
        symbol, closes = connection.execute(
            "SELECT symbol, array_agg(close ORDER BY ordinal) "
            "FROM daily_bars JOIN symbols USING (instrument_id) "
            "GROUP BY symbol HAVING count(*) = 5 ORDER BY symbol LIMIT 1"
        ).fetchone()
    with machine.function("condvest-dev-serve", folder) as function:

        def answer(event):
            kind, told = function.call(event)
            assert kind == "answer", told
            return told

        with http_api.serving(answer) as address:
            client = RESTClient("any", base=address, retries=0)
            bars = client.get_aggs(symbol, 1, "day", sessions[0], sessions[-1], adjusted=False)
            assert [bar.close for bar in bars] == closes
            page = httpx.get(address)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            files = httpx.get(f"{address}/v1/datasets/daily_bars").json()["files"]
            table = pq.read_table(
                io.BytesIO(httpx.get(address + files[0]["url"], follow_redirects=True).content)
            )
            assert table.num_rows == files[0]["rows"]
            equal_about_the_session(address, instance, folder)
        assert function.peak_megabytes() < 512


def equal_about_the_session(address, instance, folder):
    """The function answers from live.parquet and Python from the database: the same to the bit."""
    settings = Settings(home=folder, database=DatabaseSettings(url=instance.local))
    for interval in (1, 3, 13):
        asked = {"interval": interval, "live": "true", "include_open": "true", "format": "arrow"}
        answer = httpx.get(f"{address}/v1/bars", params=asked, timeout=60).raise_for_status()
        table = pa.ipc.open_stream(answer.content).read_all().replace_schema_metadata(None)
        wanted = condvest.bars(interval=interval, include_live=True, include_open=True, settings=settings)
        assert table.equals(wanted.replace_schema_metadata(None))
        assert sum(table["is_live"].to_pylist()) > 40
