"""A reader whose line is cut in silence: packets vanish, and nobody is told. A program of its own.

It runs in a network of its own, where only it is. There it hands on between a TCP port and the socket of a
server; then it takes the network down, as a firewall does that forgets a connection. What Condvest says then
goes to standard output: the name of the error, and its text.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import condvest
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings

ROOT = Path(__file__).parents[3]
SHORT = "tcp_user_timeout=1000&keepalives_idle=1&keepalives_interval=1&keepalives_count=1"
"""Of a URL: a line that is cut is noticed after about two seconds."""

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP


def run_cut_off(when, url):
    """Run this program in a network of its own; return (name of the error, its text)."""
    account = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *account, "--net", sys.executable, "-m", __spec__.name, when, url]
    # Without the timeouts of the URL the kernel would try for a quarter of an hour.
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return tuple(done.stdout.split("\n", 1))


def _network(*, up):
    with socket.socket() as control:
        asked = fcntl.ioctl(control, _GET_FLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16xH14x", asked)[0]
        wanted = flags | _UP if up else flags & ~_UP
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", b"lo", wanted))


def _hand_on(source, target, seen):
    while data := source.recv(65536):
        target.sendall(data)
        seen(data)
    target.shutdown(socket.SHUT_WR)


def _serve(listener, path, seen):
    while True:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(path)
        for ends in ((client, server, seen), (server, client, lambda _: None)):
            threading.Thread(target=_hand_on, args=ends, daemon=True).start()


def main(when, url):
    parts = urlsplit(url)
    (directory,) = parse_qs(parts.query)["host"]
    cuts = {"waiting": b"pg_advisory_lock"}.get(when)

    def seen(data):
        if cuts is not None and cuts in data:
            _network(up=False)

    _network(up=True)
    listener = socket.create_server(("127.0.0.1", 0))
    path = f"{directory}/.s.PGSQL.{parse_qs(parts.query).get('port', ['5432'])[0]}"
    threading.Thread(target=_serve, args=(listener, path, seen), daemon=True).start()
    address = f"postgresql://{parts.username}@127.0.0.1:{listener.getsockname()[1]}{parts.path}?{SHORT}"
    try:
        _ask(when, address)
    except condvest.CondvestError as error:
        print(type(error).__name__, error, sep="\n", flush=True)
    os._exit(0)  # the threads wait for what never comes


def _ask(when, address):
    if when == "waiting":  # for an answer that takes its time: somebody else holds the lock
        with Database(address) as database, database.transaction() as connection:
            connection.execute("SELECT pg_advisory_lock(4711)")
    settings = Settings(home=ROOT, database=DatabaseSettings(url=address))
    with condvest.connected(settings):
        assert condvest.bars("A", 1, settings=settings).num_rows == 1
        _network(up=False)
        condvest.bars("A", 1, settings=settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
