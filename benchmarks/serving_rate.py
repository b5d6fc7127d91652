"""Requests at even intervals: ``python -m benchmarks.serving_rate ADDRESS PATH RATE COUNT``.

Prints, as a JSON array, the seconds from when each request was due to the end of its answer, in order. A
request that finds every connection busy waits, and its wait counts: nothing is left out by a server that is
slow (coordinated omission).

It is a process of its own, with few modules, no garbage collection, and `select`, whose timeouts are of
microseconds: an event loop wakes at whole milliseconds, and a collection among all that the benchmarks import
takes as long as dozens of requests. Both would be told as the server's.
"""

import gc
import json
import select
import socket
import sys
import time
from collections import deque
from urllib.parse import urlsplit

CONNECTIONS = 16
_BEFORE = 0.05
"""Seconds before the first request is due."""


def latencies(address, path, rate, count):
    """Return the seconds that each of ``count`` requests took, ``rate`` a second being due."""
    parts = urlsplit(address)
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    free = deque(_connected(parts.hostname, parts.port) for _ in range(CONNECTIONS))
    busy, took, sent = {}, [0.0] * count, 0
    start, done = time.perf_counter() + _BEFORE, 0
    while done < count:
        while free and sent < count and start + sent / rate <= time.perf_counter():
            connection = free.popleft()
            connection.sendall(request)
            busy[connection] = [sent, b""]
            sent += 1
        is_waiting = bool(free) and sent < count
        timeout = max(start + sent / rate - time.perf_counter(), 0) if is_waiting else None
        for connection in select.select(list(busy), (), (), timeout)[0]:
            answer = busy[connection]
            answer[1] += connection.recv(1 << 20)
            if _is_whole(answer[1]):
                number = answer[0]
                took[number] = time.perf_counter() - start - number / rate
                del busy[connection]
                free.append(connection)
                done += 1
    for connection in free:
        connection.close()
    return took


def _connected(host, port):
    connection = socket.create_connection((host, port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _is_whole(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 200"[: len(answer)]) or not answer:
        raise ConnectionError(f"no answer, but {head[:200]!r}")
    lines = head.lower().split(b"\r\n")
    length = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
    return bool(length) and len(body) >= length[0]


if __name__ == "__main__":
    gc.disable()
    print(json.dumps(latencies(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))))
