"""The embedded server over TCP: when asked, on this machine, by a password, never the superuser."""

import socket
import warnings
from urllib.parse import quote

import adbc_driver_postgresql.dbapi
import psycopg
import pytest

from condvest.batch_layer.database.embedded.listening import listening_of
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.embedded.states import Down
from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.readers import grant_reader
from condvest.batch_layer.shared.errors import DatabaseError, UsageError

PASSWORD = "a b/c@d:e%f"  # noqa: S105  # of this test alone


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def is_open(port):
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def listening(home):
    """The server of a home, kept up on a port of 127.0.0.1, with the views and a reader."""
    server = EmbeddedServer(home)
    where = listening_of("127.0.0.1", free_port())
    with Database(server.up(where), reads_environment=False) as database:
        migrate(database)
        grant_reader(database, "analyst", password=PASSWORD)
    yield server, where
    server.down(now=True)


def url_of(where, user="analyst", password=PASSWORD):
    return f"postgresql://{user}:{quote(password, safe='')}@{where.address}:{where.port}/condvest"


def test_a_server_listens_on_no_port_unless_it_is_asked(home):
    server = EmbeddedServer(home)
    with server.lease() as url, psycopg.connect(url) as connection:
        assert server.listening() is None
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_reader_logs_in_with_a_password_by_psycopg_and_adbc(listening):
    _, where = listening
    with psycopg.connect(url_of(where)) as connection:
        assert connection.execute("SELECT count(*) FROM daily").fetchone() == (0,)
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
        assert connection.execute("SHOW password_encryption").fetchone() == ("scram-sha-256",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM public.daily_bars")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with adbc_driver_postgresql.dbapi.connect(url_of(where)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT symbol, close FROM daily")
            assert cursor.fetch_arrow_table().num_rows == 0


@pytest.mark.parametrize(
    ("user", "password"), [("analyst", "wrong"), ("condvest", PASSWORD), ("condvest", "x"), ("nobody", "x")]
)
def test_nobody_else_does(listening, user, password):
    """Neither by another password nor as the superuser, who has none."""
    _, where = listening
    with pytest.raises(psycopg.OperationalError, match=r"authentication failed|rejects connection"):
        psycopg.connect(url_of(where, user, password))


def test_the_superuser_is_kept_out_even_if_somebody_gave_it_a_password(listening):
    server, where = listening
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("ALTER ROLE condvest PASSWORD 'careless words'")
        with pytest.raises(psycopg.OperationalError, match="rejects connection"):
            psycopg.connect(url_of(where, "condvest", "careless words"))
        connection.execute("ALTER ROLE condvest PASSWORD NULL")


def test_it_listens_until_it_is_taken_down_and_not_when_it_is_started_next(listening):
    server, where = listening
    assert is_open(where.port)
    with server.lease():
        assert is_open(where.port)
    assert server.down() is Down.STOPPED
    assert not is_open(where.port)
    with server.lease():
        assert not is_open(where.port)


def test_a_server_that_is_in_use_is_not_started_anew(home):
    server = EmbeddedServer(home)
    with server.lease(), pytest.raises(DatabaseError, match="condvest db down"):
        server.up(listening_of("127.0.0.1", free_port()))
    assert server.listening() is None


def test_a_port_that_is_taken_is_said_and_the_server_stays_as_it_was(home):
    server = EmbeddedServer(home)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        with pytest.raises(DatabaseError, match="Address already in use"):
            server.up(listening_of("127.0.0.1", door.getsockname()[1]))
    assert server.listening() is None
    with server.lease() as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


@pytest.mark.parametrize(
    "address", [".".join("0000"), "*", "192.168.1.20", "::", "example.com", "", "127.0.0.1, 0.0.0.0", "'"]
)
def test_only_addresses_of_this_machine_are_taken(address):
    """Nothing encrypts what the embedded server says, so no other machine may ask it."""
    with pytest.raises(UsageError, match="serves this machine alone"):
        listening_of(address, 5433)


@pytest.mark.parametrize("port", [0, 80, 65536, -1])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(UsageError, match="expected a port"):
        listening_of("127.0.0.1", port)


def test_localhost_and_ipv6_are_addresses_of_this_machine():
    assert listening_of("localhost", 5433) == listening_of("127.0.0.1", 5433)
    assert listening_of("::1", 5433).access == (
        "host all condvest ::1/128 reject\nhost condvest all ::1/128 scram-sha-256\n"
    )


def test_a_file_that_says_something_else_is_named(home):
    server = EmbeddedServer(home)
    file = home / "postgres" / "listen"
    file.write_text("0.0.0.0 5432\n")
    with pytest.raises(DatabaseError, match="listen: expected an address and a port"):
        server.listening()
    file.unlink()


def test_a_link_in_the_place_of_the_file_is_not_followed(home, tmp_path):
    """Root writes in the user's directory; see docs/security.md."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    file = home / "postgres" / "listen"
    file.symlink_to(victim)
    with pytest.raises(DatabaseError):
        EmbeddedServer(home).up(listening_of("127.0.0.1", free_port()))
    file.unlink()
    assert victim.read_text() == "mine"
