"""What the tests share: a clean environment, the servers, fresh databases, the calendar.

The database tests run on the embedded server, and where the kind of server can matter on another one too;
with ``--database-url URL`` (or CONDVEST_TEST_DATABASE_URL) on that one alone. Its role has to be allowed
to create databases; those that the tests make begin with ``condvest_test_`` and are dropped again.
"""

import os

import hypothesis
import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations import nightly
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.models.sessions import calendar_of
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.batch_layer.shared.utils.calendar import FIRST_YEAR, exchange_sessions
from tests.support.databases.servers import embedded_server, given_server, tcp_server
from tests.support.exchange import NOW
from tests.support.worlds.world import World

TEST_URL = "CONDVEST_TEST_DATABASE_URL"
LONGEST = ("test_emulator.py", "test_aws_container.py", "test_aws_packages.py", "test_aws_chain.py")
"""Files of tests that take minutes."""

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("condvest", deadline=None)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=20_000)  # of `make fuzz`
hypothesis.settings.load_profile("condvest")


def pytest_addoption(parser):
    parser.addoption(
        "--database-url",
        default=None,
        help="run the database tests on this PostgreSQL (14 or later) alone, in databases made for them",
    )


def pytest_configure():
    """Let no setting of the user's reach a test, nor a process that a test starts."""
    for name in list(os.environ):
        if name.startswith(("CONDVEST_", "PG")) and name != TEST_URL:
            del os.environ[name]
    # Hundreds of processes are started, which need not make ready threads for products of matrices.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(config, items):
    """Begin with the files that take minutes, so that none is left over when the other workers have ended.

    An ordinary user skips the tests for root, and is told why. CI runs them as root in a run of their own
    (``.ci/run``), so there an ordinary user's run leaves them out and skips nothing.
    """
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for_root = [item for item in items if item.get_closest_marker("root")] if os.geteuid() != 0 else []
    if os.environ.get("CI"):
        items[:] = [item for item in items if item not in for_root]
        config.hook.pytest_deselected(items=for_root)
    for item in for_root:
        item.add_marker(pytest.mark.skip(reason="needs root; run: sudo .venv/bin/python -m pytest -m root"))


def pytest_generate_tests(metafunc):
    if "server_kind" in metafunc.fixturenames:
        kinds = ["given"] if _given_url(metafunc.config) else ["embedded", "tcp"]
        metafunc.parametrize("server_kind", kinds, scope="session")


def _given_url(config):
    return config.getoption("--database-url") or os.environ.get(TEST_URL)


@pytest.fixture(scope="session")
def server(request):
    """The server for most tests: the embedded one unless another is given."""
    url = _given_url(request.config)
    with given_server(url, NOW) if url else embedded_server(NOW) as one:
        yield one


@pytest.fixture(scope="session")
def other_server(request):
    """The server over TCP, with passwords, unless another is given."""
    url = _given_url(request.config)
    with given_server(url, NOW) if url else tcp_server(NOW) as one:
        yield one


@pytest.fixture(scope="session")
def any_server(request, server_kind):
    """Each kind of server in turn."""
    return request.getfixturevalue("other_server" if server_kind == "tcp" else "server")


@pytest.fixture
def url(server):
    """URL of a database of today's schema, with the calendar and nothing else in it."""
    with server.lent() as made:
        yield made


@pytest.fixture
def database(url):
    """The same database, to be used."""
    with Database(url) as one:
        yield one


@pytest.fixture
def any_url(any_server):
    """As ``url``, on each kind of server."""
    with any_server.lent() as made:
        yield made


@pytest.fixture
def any_database(any_url):
    """As ``database``, on each kind of server."""
    with Database(any_url) as one:
        yield one


@pytest.fixture
def workspace(url, database, tmp_path):
    """The same database with an archive of its own, at NOW."""
    return Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=url)), database, NOW)


@pytest.fixture
def world(workspace, sessions):
    """The same as a small market; see `World`."""
    one = World(workspace, sessions)
    yield one
    one.close()


@pytest.fixture
def any_world(any_url, any_database, tmp_path, sessions):
    """As ``world``, on each kind of server."""
    one = World(
        Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=any_url)), any_database, NOW),
        sessions,
    )
    yield one
    one.close()


@pytest.fixture(scope="session")
def sample(server, sessions, tmp_path_factory):
    """The sample, fetched, loaded and resampled; to be read only."""
    home = tmp_path_factory.mktemp("sample")
    with server.lent() as url, Database(url) as database:
        one = World(
            Workspace(Settings(home=home, database=DatabaseSettings(url=url)), database, NOW), sessions
        )
        nightly.run(one.workspace, "sample", on_wait=pytest.fail)
        yield one
        one.close()


@pytest.fixture(scope="session")
def sessions():
    """The calendar that the databases hold."""
    return calendar_of(*exchange_sessions(FIRST_YEAR, NOW.year + 1))
