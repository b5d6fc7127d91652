"""The state of the database, asked for in an event loop: the same as on a thread, and after failures too."""

import asyncio
from contextlib import suppress

import psycopg
import pytest

from condvest.batch_layer.shared.errors import DatabaseUnavailable
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from condvest.serving_layer.http.front import Latest
from condvest.serving_layer.http.threads import Threads
from tests.support.payloads import bar


@pytest.fixture
def backend(world):
    world.bars([bar("A", world.date(0))])
    made = DatabaseBackend(world.workspace.settings)
    yield made
    made.close()


def test_it_is_the_state_that_a_thread_sees_after_every_commit(world, backend):
    async def look():
        states = []
        for at in range(1, 6):
            world.bars([bar("A", world.date(at))])
            states.append((await backend.state_soon(), backend.state()))
        return states

    assert asyncio.run(backend.state_soon()) is None  # nothing is ready yet
    backend.state()
    backend.prepare_soon()
    states = asyncio.run(look())
    assert [soon for soon, _ in states] == [state for _, state in states]
    assert len({soon.version for soon, _ in states}) == 5


def test_a_connection_that_is_lost_is_made_ready_again(world, backend):
    threads = Threads(1, 1)
    latest = Latest(backend, threads)

    async def look():
        first = await latest.now()
        assert await backend.state_soon() == first
        with psycopg.connect(world.workspace.settings.database.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert await backend.state_soon() is None
        for _ in range(3):  # the thread's own connection was ended too, which it may see only when it asks
            with suppress(DatabaseUnavailable):
                return first, await latest.now(), await backend.state_soon()
        raise AssertionError("it did not recover")

    first, again, soon = asyncio.run(look())
    assert first == again == soon
    threads.close()


def test_what_the_server_refuses_is_told_by_the_thread(world, backend):
    """The table of loads is gone from the search path: no row comes, and the next lookup is on a thread."""
    backend.state()
    backend.prepare_soon()
    with world.workspace.database.transaction() as connection:
        connection.execute("ALTER TABLE loads RENAME TO loads_")
    assert asyncio.run(backend.state_soon()) is None
    with world.workspace.database.transaction() as connection:
        connection.execute("ALTER TABLE loads_ RENAME TO loads")
    backend.prepare_soon()
    assert asyncio.run(backend.state_soon()) == backend.state()


def test_many_who_ask_at_once_all_get_a_state_that_was_not_before_them(world, backend):
    threads = Threads(1, 1)
    latest = Latest(backend, threads)

    async def look():
        seen = []
        for at in range(1, 8):
            await asyncio.to_thread(world.bars, [bar("A", world.date(at))])
            now = await asyncio.to_thread(backend.state)
            seen.append((now, await asyncio.gather(*(latest.now() for _ in range(30)))))
        return seen

    for now, states in asyncio.run(look()):
        assert states == [now] * 30
    threads.close()


def test_published_data_are_looked_up_on_a_thread(world):
    backend = PublishedBackend(world.workspace.settings)
    backend.prepare_soon()
    assert asyncio.run(backend.state_soon()) is None
