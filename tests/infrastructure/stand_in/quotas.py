"""What Service Quotas tells of an account, and how many vCPUs Fargate lends it.

The account of the first day has AWS's default quotas; many a one begins with less until AWS raises it.
"""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager

FARGATE_SPOT = "L-36FBB829"
FARGATE = "L-3032A538"

ACCOUNTS = {
    "usual": {"L-B99A9384": 1000, FARGATE_SPOT: 256, FARGATE: 256, "L-F678F1CE": 20},
    # Fargate: https://docs.aws.amazon.com/general/latest/gr/ecs-service.html; networks:
    # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html; executions:
    # DataDog/datadog-serverless-functions#621.
    "new": {"L-B99A9384": 10, FARGATE_SPOT: 6, FARGATE: 6, "L-F678F1CE": 5},
    "closed": {"L-B99A9384": 10, FARGATE_SPOT: 0, FARGATE: 0, "L-F678F1CE": 5},
}
"""Quotas by code: concurrent executions, vCPUs on Spot and on demand, networks in a region."""


class _Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        value = ACCOUNTS[self.server.account].get(asked["QuotaCode"])
        known = self.headers["X-Amz-Target"].endswith(".GetServiceQuota") and value is not None
        told = {"Quota": {**asked, "Value": float(value)}} if known else {"__type": "NoSuchResourceException"}
        body = json.dumps(told).encode()
        self.send_response(200 if known else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def serving(account):
    """Answer for an account of ``ACCOUNTS``; yield the server, whose ``account`` may be set to another."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    server.daemon_threads = True
    server.account = account
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
