"""A Lambda function as it is shipped, run by AWS's own awslambdaric against a stand-in for the Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import http.server
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

from tests.support.aws import artefacts

ARN = "arn:aws:lambda:us-east-1:123456789012:function:tested"


class _Api(http.server.BaseHTTPRequestHandler):
    """Hands out events and takes answers; one at a time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Invocation next: waits until there is an event."""
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        deadline = int((self.server.clock() + self.server.seconds) * 1000)
        self._send(
            json.dumps(event).encode(),
            {
                "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            },
        )

    def do_POST(self):
        """Response or error of an invocation, or an error of the start."""
        body = json.loads(self._body())
        kind = "answer" if self.path.endswith("/response") else "error"
        self.server.answers.put((kind, body))
        self._send(b"{}", {}, 202)

    def _body(self):
        length = self.headers.get("Content-Length")
        if length is not None:
            return self.rfile.read(int(length))
        chunks = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return chunks

    def _send(self, body, headers, status=200):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    """A server whose client is killed at the end, while it waits for the next event."""

    def handle_error(self, request, client_address):
        """Say nothing of a client that went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Function:
    """A function that runs.

    Attributes:
        log: path of what it wrote to standard output and error.
    """

    def __init__(self, server, process, log):
        self._server = server
        self._process = process
        self.log = log

    def call(self, event):
        """Return ``("answer", value)`` or ``("error", what)``; ("exit", code) if the runtime died."""
        self._server.events.put(event)
        while True:
            try:
                return self._server.answers.get(timeout=0.1)
            except queue.Empty:
                if self._process.poll() is not None:
                    return "exit", self._process.returncode

    def peak_megabytes(self):
        """Return the most memory that the process has held so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def running(package, layer, handler, python, root, environ, *, seconds=300, clock=time.time):
    """Run a handler of a package with a layer (None: without), in the environment that Lambda makes.

    ``clock`` tells the function's seconds since the epoch, from which its time is counted.
    """
    task, opt, log = root / "task", root / "opt", root / "log"
    for archive, folder in ((package, task), (layer, opt)):
        if archive is not None and not folder.exists():
            folder.symlink_to(artefacts.unpacked(archive))
    server = _Server(("127.0.0.1", 0), _Api)
    server.daemon_threads = True
    server.events, server.answers = queue.Queue(), queue.Queue()
    server.seconds, server.clock = seconds, clock
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    lambdas = {
        "PATH": os.environ["PATH"],
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": str(task),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "tested",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "TMPDIR": str(root),
        # As on Lambda: the task before the layer; the runtime's own is what the interpreter's venv holds.
        "PYTHONPATH": os.pathsep.join([str(task), str(opt / "python")]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [python, "-m", "awslambdaric", handler],
            cwd=task,
            env=lambdas | environ,
            stdout=output,
            stderr=output,
        )
        try:
            yield Function(server, process, log)
        finally:
            process.kill()
            process.wait()
            server.events.put(None)
            server.shutdown()
            thread.join()
            server.server_close()
