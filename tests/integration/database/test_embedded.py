"""The life of the embedded server among well-behaved processes, and among killed ones."""

import os
import shutil
import signal
import threading

import psycopg
import pytest

from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.embedded.states import Down
from condvest.batch_layer.shared.errors import DatabaseUnavailable
from tests.support.databases.embedded_processes import (
    Client,
    is_dead,
    kill_server,
    processes_of,
    wait_until_dead,
)


def value_of(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]


def test_first_lease_makes_the_database_and_the_end_of_it_stops_the_server(new_home):
    """A cold start serves the database condvest, with our settings, and leaves no process and no socket."""
    server = EmbeddedServer(new_home)
    with server.lease() as url:
        assert url == server.url()
        status = server.status()
        assert (status.running, status.kept) == (True, False)
        assert status.data_directory == new_home.resolve() / "postgres" / "data"
        assert value_of(url, "SELECT current_database()") == "condvest"
        assert value_of(url, "SELECT current_user") == "condvest"
        assert value_of(url, "SHOW server_version").startswith(status.version)
        assert status.socket_directory.stat().st_mode & 0o777 == 0o700
        for setting, expected in {
            "listen_addresses": "",
            "fsync": "on",
            "synchronous_commit": "on",
            "wal_level": "minimal",
            "max_connections": "40",
            "TimeZone": "UTC",
            "server_encoding": "UTF8",
            "data_checksums": "on",
        }.items():
            assert value_of(url, f"SHOW {setting}") == expected
    assert is_dead(new_home)
    after = server.status()
    assert (after.running, after.pid, after.version) == (False, None, status.version.split(".")[0])
    assert not status.socket_directory.exists()


def test_data_outlast_the_server(clients):
    """What one command stored is there for the next one."""
    first, second = clients(2)
    first.tell("lease")
    first.tell("insert")
    first.tell("leave")
    second.tell("lease")
    assert second.tell("count") == 1


def test_one_of_several_leaving_stops_nothing_and_the_last_one_does(home, clients):
    """Three processes share one server, and it ends with the third."""
    users = clients(3)
    for client in users:
        client.tell("lease")
    pid = users[0].tell("pid")
    users[0].tell("insert")
    users[0].tell("leave")
    assert [client.tell("pid") for client in users] == [pid] * 3
    users[1].tell("leave")
    assert users[2].tell("count") == 1
    users[2].tell("leave")
    assert is_dead(home)


def test_processes_racing_to_a_cold_start_get_one_server(new_home):
    """Of four that begin at once, one makes the database and all use it."""
    clients = [Client(new_home) for _ in range(4)]
    for client in clients:
        client.send("lease")
    answers = [client.answer() for client in clients]
    pids = {client.tell("pid") for client in clients}
    for client in clients:
        client.send("leave")
    assert [client.answer() for client in clients] == [{"value": None}] * 4
    for client in clients:
        client.close()
    assert len({answer["value"] for answer in answers}) == len(pids) == 1
    assert is_dead(new_home)


def test_leases_of_one_process_count_apart(home):
    """Two objects and two threads of one process: the server stays until the last of them leaves."""
    entered, leave = threading.Event(), threading.Event()

    def other():
        with EmbeddedServer(home).lease():
            entered.set()
            assert leave.wait(30)

    thread = threading.Thread(target=other)
    with EmbeddedServer(home).lease() as outer:
        with EmbeddedServer(home).lease() as inner:
            assert inner == outer
        assert value_of(outer, "SELECT 1") == 1
        thread.start()
        assert entered.wait(30)
    assert value_of(outer, "SELECT 1") == 1
    leave.set()
    thread.join()
    assert is_dead(home)


def test_a_server_started_under_a_lease_does_not_inherit_it(home):
    """Were the lease's descriptor open in the server, nobody would ever be the last."""
    with EmbeddedServer(home).lease():
        EmbeddedServer(home).down(now=True)
        with EmbeddedServer(home).lease() as url:
            assert value_of(url, "SELECT 1") == 1
    assert is_dead(home)


def test_a_forked_child_that_leaves_does_not_take_the_parents_server(home, clients):
    """A child shares the lease of its parent; unwinding in the child must not stop the server."""
    (first,) = clients(1)
    first.tell("lease")
    pid = first.tell("pid")
    assert first.tell("leave_in_a_fork") == 0
    assert first.tell("pid") == pid
    first.tell("leave")
    assert is_dead(home)


def test_up_keeps_the_server_until_down(home, clients):
    """After up, leaving stops nothing; down stops it, and says what it found."""
    first, second = clients(2)
    url = first.tell("up")
    assert second.tell("lease") == url
    pid = second.tell("pid")
    second.tell("leave")
    assert EmbeddedServer(home).status().kept
    assert EmbeddedServer(home).status().pid == pid
    assert first.tell("down") == "STOPPED"
    assert is_dead(home)
    assert first.tell("down") == "NOT_RUNNING"


def test_down_leaves_a_used_server_to_its_users(home, clients):
    """Down takes back up, no more: the last to leave stops the server."""
    first, second = clients(2)
    first.tell("up")
    second.tell("lease")
    assert first.tell("down") == "IN_USE"
    assert second.tell("pid") is not None
    second.tell("leave")
    assert is_dead(home)


def test_down_now_stops_a_used_server(home, clients):
    """With now the users are cut off, and leaving afterwards is no error."""
    (first,) = clients(1)
    first.tell("lease")
    assert EmbeddedServer(home).down(now=True) is Down.STOPPED
    assert is_dead(home)
    assert first.tell("leave") is None


def test_looking_makes_nothing(tmp_path):
    """Neither the status nor the URL nor down of a home that is not there makes it."""
    server = EmbeddedServer(tmp_path / "none")
    status = server.status()
    assert (status.running, status.kept, status.pid, status.version) == (False, False, None, None)
    assert server.url().startswith("postgresql://condvest@/condvest?host=%2F")
    assert server.down() is Down.NOT_RUNNING
    assert not (tmp_path / "none").exists()
    assert not status.socket_directory.exists()


def test_after_a_killed_client_the_next_one_shares_and_stops_the_server(home, clients):
    """A kill -9 leaves no count behind: the next to come is the last to leave."""
    first, second = clients(2)
    first.tell("lease")
    pid = first.tell("pid")
    first.kill()
    second.tell("lease")
    assert second.tell("pid") == pid
    second.tell("leave")
    assert is_dead(home)


def test_after_a_killed_client_down_stops_the_server(home, clients):
    """A plain down is enough, for nobody holds a lease."""
    first, second = clients(2)
    first.tell("lease")
    first.kill()
    assert second.tell("down") == "STOPPED"
    assert is_dead(home)


@pytest.mark.parametrize("client_too", [False, True], ids=["server", "server and client"])
def test_a_killed_server_is_started_anew_with_its_data(home, clients, client_too):
    """After kill -9 of every process of the server the next lease recovers what was committed."""
    first, second = clients(2)
    url = first.tell("lease")
    first.tell("insert")
    kill_server(home, first.tell("pid"), processes_of(url))
    if client_too:
        first.kill()
    second.tell("lease")
    assert second.tell("count") == 1
    if not client_too:
        assert first.tell("count") == 1
        first.tell("leave")
    second.tell("leave")
    assert is_dead(home)


def test_a_killed_postmaster_alone_is_started_anew(clients):
    """Its children are waited for, and then the next lease recovers."""
    first, second = clients(2)
    first.tell("lease")
    first.tell("insert")
    os.kill(first.tell("pid"), signal.SIGKILL)
    second.tell("lease")
    assert second.tell("count") == 1


@pytest.mark.parametrize("whose", ["init", "the server's user"])
def test_a_stale_pid_file_that_names_a_living_process_is_seen_through(home, clients, living, whose):
    """After a crash the old number may be anybody's; nobody is waited for, and nobody is killed."""
    first, second = clients(2)
    url = first.tell("lease")
    first.tell("insert")
    kill_server(home, first.tell("pid"), processes_of(url))
    pid = 1 if whose == "init" else living.pid
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    pid_file.write_text(f"{pid}\n" + pid_file.read_text().partition("\n")[2])
    assert EmbeddedServer(home).down(now=True) is Down.NOT_RUNNING
    second.tell("lease")
    assert second.tell("count") == 1
    assert second.tell("pid") != pid


@pytest.mark.parametrize("content", ["", "no number\n"])
def test_a_pid_file_cut_short_is_no_obstacle(home, clients, content):
    """A disk that was full, or a machine that lost power, may leave an empty file."""
    (first,) = clients(1)
    (home / "postgres" / "data" / "postmaster.pid").write_text(content)
    first.tell("lease")
    assert first.tell("pid") is not None


def test_a_client_killed_while_the_database_is_made(new_home):
    """Its initdb may live on; the next client waits for the end of it and makes the database anew."""
    with_a_half = new_home / "postgres" / "data.new" / "PG_VERSION"
    killed, next_one = Client(new_home), Client(new_home)
    killed.send("lease")
    while not with_a_half.exists():
        assert killed.process.poll() is None
    killed.kill()
    assert not (new_home / "postgres" / "data").exists()
    next_one.tell("lease")
    next_one.tell("insert")
    assert next_one.tell("count") == 1
    next_one.tell("leave")
    assert is_dead(new_home)
    assert not with_a_half.parent.exists()
    killed.close()
    next_one.close()


def test_ctrl_c_in_a_command_does_not_reach_the_server(home, clients):
    """The signal goes to the group of the terminal's foreground; another command works on."""
    starter, other = clients(2)
    starter.tell("lease")
    other.tell("lease")
    pid = other.tell("pid")
    os.killpg(starter.process.pid, signal.SIGINT)
    assert starter.process.wait() != 0
    assert other.tell("pid") == pid
    other.tell("leave")
    assert is_dead(home)


def test_a_server_whose_socket_was_removed_is_started_anew(home, clients):
    """A cleaner of temporary files took the socket: an unused server is replaced by one that is reached."""
    first, second = clients(2)
    first.tell("up")
    pid = first.tell("pid")
    shutil.rmtree(EmbeddedServer(home).status().socket_directory)
    second.tell("lease")
    assert second.tell("pid") not in (None, pid)


def test_a_used_server_whose_socket_was_removed_is_left_to_its_users(home, clients):
    """Nobody's transaction is broken for it: the error says what to do."""
    first, second = clients(2)
    first.tell("lease")
    shutil.rmtree(EmbeddedServer(home).status().socket_directory)
    refused = second.ask("lease")
    assert refused["error"] == "DatabaseUnavailable"
    assert "condvest db down --now" in refused["message"]
    assert second.tell("down_now") == "STOPPED"


def test_a_server_that_hangs_is_reported_in_time(home, clients):
    """No command waits for ever; the message names the directory and the way out."""
    (first,) = clients(1)
    first.tell("lease")
    pid = first.tell("pid")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseUnavailable, match="did not answer within 1 s") as refused:
            EmbeddedServer(home, start_timeout=1).up()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert str(home) in str(refused.value)
    first.tell("insert")
    assert first.tell("count") == 1


def test_a_killed_holder_of_the_turn_blocks_nobody(home, clients):
    """Killed while it starts the server, a client leaves a server that the next one shares or replaces."""
    first, second = clients(2)
    first.send("lease")
    while is_dead(home):
        assert first.process.poll() is None
    first.kill()
    second.tell("lease")
    second.tell("leave")
    wait_until_dead(home)
