"""`condvest serve` in a process of its own, and its application in this one."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx

from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.http.server import PatientProtocol, server_of


@contextmanager
def serving(program, *options):
    """Run the server on a free port and give a client of it; it has to end well when it is interrupted."""
    with program.start("serve", "--port", "0", *options) as process:
        try:
            line = process.stderr.readline()
            assert line.startswith("serving "), line
            address = next(word for word in line.split() if word.startswith("http://"))
            # The log is read meanwhile, so that the server never waits for room in the pipe.
            with ThreadPoolExecutor(1) as pool:
                log = pool.submit(process.stderr.read)
                try:
                    with httpx.Client(base_url=address, timeout=60) as client:
                        yield client
                    process.send_signal(signal.SIGINT)
                    assert process.wait(60) == 0, log.result()
                finally:
                    process.kill()  # or a test that failed would wait for the end of the log for ever
        finally:
            process.kill()


@contextmanager
def served(settings, rules=None, kind=DatabaseBackend, protocol=PatientProtocol, log=lambda _: None):
    """Serve a database, or what is published, within this process, and give the address."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(kind(settings), rules or Rules(), log=log)
    server = server_of(app, protocol)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.run, sockets=[listening])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            running.result(60)
