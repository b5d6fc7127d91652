"""An HTTP API of API Gateway before a function: real HTTP in front, events of payload format 2.0 behind.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import asyncio
import base64
import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

LARGEST_PAYLOAD = 6_291_556
"""Bytes that Lambda takes as an answer (its own words when there are more: "exceeded maximum allowed payload
size (6291556 bytes)")."""

HOST = "abcdefghij.execute-api.ca-west-1.amazonaws.com"


def event_of(method, target, headers, source="192.0.2.1"):
    """Return the event of a request. The path comes decoded, and a header given twice as one."""
    parts = urlsplit(target)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": unquote(parts.path),
        "rawQueryString": parts.query,
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": HOST.partition(".")[0],
            "domainName": HOST,
            "http": {
                "method": method,
                "path": unquote(parts.path),
                "protocol": "HTTP/1.1",
                "sourceIp": source,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": "a-request",
            "routeKey": "$default",
            "stage": "$default",
            "time": "03/Jun/2024:12:00:00 +0000",
            "timeEpoch": 1717416000000,
        },
        "isBase64Encoded": False,
    }


def content_of(answer):
    """Return the bytes of an answer in the payload format."""
    body = answer.get("body", "")
    return base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()


class _Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _handle(self):
        headers = {name.lower(): value for name, value in self.headers.items()} | {"host": HOST}
        answer = self.server.invoke(event_of(self.command, self.path, headers))
        if len(json.dumps(answer)) > LARGEST_PAYLOAD:
            answer = {"statusCode": 500, "headers": {}, "body": '{"message":"Internal Server Error"}'}
        content = content_of(answer)
        self.send_response(answer["statusCode"])
        given = answer["headers"] | {"content-length": answer["headers"].get("content-length", len(content))}
        for name, value in given.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_OPTIONS = _handle  # noqa: N815  # the names of http.server

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def serving(invoke):
    """Serve; yield the URL. ``invoke(event)`` returns the function's answer."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    server.daemon_threads = True
    # One copy of a function: it answers one event after the other, on one thread.
    with ThreadPoolExecutor(1, initializer=lambda: asyncio.set_event_loop(asyncio.new_event_loop())) as copy:
        server.invoke = lambda event: copy.submit(invoke, event).result()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            copy.submit(lambda: asyncio.get_event_loop().close()).result()
