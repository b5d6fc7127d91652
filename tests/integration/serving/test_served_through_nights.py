"""Nights load and publish while clients read: nobody gets an error, and nobody a page of two states.

Each night corrects every bar: its volume is the number of the night, so rows of two nights are told apart.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from tests.support.payloads import bar
from tests.support.publishing import published
from tests.support.serving import served

NIGHTS = 6
SESSIONS = 30
READERS = 3


def rows_of_night(world, night):
    return [bar(symbol, world.date(at), volume=night) for at in range(SESSIONS) for symbol in "ABC"]


def read(address, until, interval):
    """Read page after page until the event; return the volumes of each chain of pages, and the statuses."""
    chains, statuses = [], []
    with httpx.Client(base_url=address, timeout=60) as client:
        tag = ""
        while not until.is_set():
            url, volumes, first = f"/v1/bars?interval={interval}&limit=17&include_open=true", set(), True
            while url:
                answer = client.get(url, headers={"If-None-Match": tag} if first and tag else {})
                statuses.append(answer.status_code)
                if answer.status_code != 200:
                    break  # it has that page already (304), or the state of the first page is gone (410)
                tag, first = answer.headers["etag"] if first else tag, False
                page = answer.json()
                volumes |= {row["volume"] / row["sessions"] for row in page["rows"]}
                url = page["next"]
            chains.append(volumes)
    return chains, statuses


@pytest.fixture
def nights(world, tmp_path):
    """Return a function that runs the nights; only the current version is left by each."""
    target = DirectoryTarget(tmp_path / "published")
    world.bars(rows_of_night(world, 1))
    published(world, target, keep=0)

    def run():
        for night in range(2, NIGHTS + 1):
            world.bars(rows_of_night(world, night))
            published(world, target, keep=0)

    return run, replace(world.workspace.settings, published_at=target.name)


@pytest.mark.parametrize("kind", [DatabaseBackend, PublishedBackend])
def test_no_reader_meets_an_error_or_two_states(nights, kind):
    run, settings = nights
    is_over = threading.Event()
    with served(settings, kind=kind) as address, ThreadPoolExecutor(READERS) as pool:
        reading = [pool.submit(read, address, is_over, interval) for interval in (1, 5, 5)]
        try:
            run()
        finally:
            is_over.set()
        results = [each.result(120) for each in reading]
        last = httpx.get(f"{address}/v1/bars?interval=1&last=1").json()["rows"]
    assert {row["volume"] for row in last} == {NIGHTS}
    for chains, statuses in results:
        assert set(statuses) <= {200, 304, 410}
        assert statuses.count(200) > 0
        assert [volumes for volumes in chains if len(volumes) > 1] == []
    assert len({volume for chains, _ in results for volumes in chains for volume in volumes}) > 1
