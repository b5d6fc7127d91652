"""AWS Lambda that runs what was built and deployed when it is called, by AWS's own runtime client.

Everything but an invocation goes on to the emulator behind it.
"""

from __future__ import annotations

import http.client
import http.server
import json
import re
import threading
from contextlib import contextmanager

_INVOCATION = re.compile(r"/2015-03-31/functions/([\w-]+)/invocations")


class _Api(http.server.BaseHTTPRequestHandler):
    def _handle(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        called = _INVOCATION.match(self.path)
        if not called:
            return self._pass_on(body)
        kind, answer = self.server.invoke(called[1], json.loads(body))
        failed = {} if kind == "answer" else {"X-Amz-Function-Error": "Unhandled"}
        return self._send(200, json.dumps(answer).encode(), failed)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815  # the names of http.server

    def _pass_on(self, body):
        connection = http.client.HTTPConnection(self.server.emulator.removeprefix("http://"))
        connection.request(self.command, self.path, body=body, headers=dict(self.headers))
        told = connection.getresponse()
        self._send(told.status, told.read(), {})
        connection.close()

    def _send(self, status, body, more):
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | more).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def serving(emulator, invoke):
    """Serve; yield the URL. ``invoke(name, event)`` returns ``("answer", value)`` or ``("error", what)``."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    server.daemon_threads = True
    server.emulator, server.invoke = emulator, invoke
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
