"""A real NATS server on this machine, which can be killed and started again on what it has stored."""

import select
import signal
import socket
import subprocess
import sys
from pathlib import Path


class NatsServer:
    """A server with JetStream. Use as a context manager.

    Args:
        folder: where it keeps its streams.
    """

    def __init__(self, folder):
        self._folder = Path(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process = None

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Start it, and return when it takes connections."""
        program = Path(sys.executable).with_name("nats-server")
        self._process = subprocess.Popen(
            [program, "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", self._folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2000):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None
            select.select([], [], [], 0.01)
        raise AssertionError("the server does not take connections")

    def kill(self):
        """Kill it as a power cut does, as far as this machine knows."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
