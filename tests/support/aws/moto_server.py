"""An AWS emulator on a free port of this machine, which it prints; it ends when its standard input does.

It answers one request at a time. Moto walks its dictionaries while other requests add to them, and then
answers 500 with a page of HTML, which no client of AWS takes for an error that it may ask again after.

It stands alone: it is run by the Python of whichever environment has moto.
"""

import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


class OneAtATime(DomainDispatcherApplication):
    """All services of AWS, each request after the one before."""

    def __init__(self):
        super().__init__(create_backend_app)
        self.asked = threading.Lock()

    def __call__(self, environ, start_response):
        """Answer a request, as WSGI has it."""
        with self.asked:
            return super().__call__(environ, start_response)


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, OneAtATime(), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
