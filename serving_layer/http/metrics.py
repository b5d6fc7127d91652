"""What one serving process has done, as Prometheus reads it.

The text form (https://prometheus.io/docs/instrumenting/exposition_formats/) is so plain that these lines need
no library, and counting costs a microsecond a request.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from condvest.serving_layer.http.answers.problems import Forbidden
from condvest.serving_layer.http.calls import Call
from condvest.serving_layer.http.guarding.hosts import LOOPBACK, check_hosts

PATH = "/metrics"

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds, inclusive, by which requests are counted."""

OTHER = "other"
"""What stands for every path that the server does not have: a client can make no new series."""

_NEAR = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
_PASSED_ON = frozenset((b"forwarded", b"x-forwarded-for", b"x-real-ip"))


@dataclass
class _OfPath:
    """Requests of one path, up to each bound and beyond the last, and what they took and gave."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    bytes: int = 0
    rows: int = 0
    kept: int = 0


class Metrics:
    """Counts requests. For one event loop."""

    def __init__(self, templates: Iterable[str] = ()) -> None:
        """Count by the paths of an application; see `know`."""
        self._statuses: Counter[tuple[str, int]] = Counter()
        self._paths: defaultdict[str, _OfPath] = defaultdict(_OfPath)
        self._started = time.time()
        self.label = lru_cache(1024)(self._label)
        self.know(templates)

    def know(self, templates: Iterable[str]) -> None:
        """Know the paths of an application, with ``{parameters}``: all that have one are counted together."""
        self._exact = frozenset(each for each in templates if "{" not in each)
        prefixes = {each.partition("{")[0]: each for each in templates if "{" in each}
        prefixes.pop("/", None)  # stands for what is no path
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[0]))
        self.label.cache_clear()

    def _label(self, path: str) -> str:
        if path in self._exact:
            return path
        return next((template for prefix, template in self._prefixes if path.startswith(prefix)), OTHER)

    def count(self, path: str, call: Call) -> None:
        """Count a request that has ended."""
        label = self.label(path)
        self._statuses[label, call.status] += 1
        of_path = self._paths[label]
        seconds = call.seconds
        of_path.counts[bisect_left(BOUNDS, seconds)] += 1
        of_path.seconds += seconds
        of_path.bytes += call.bytes
        of_path.kept += call.is_kept
        if call.rows:
            of_path.rows += int(call.rows)

    def text(self) -> str:
        """Return all that was counted."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("condvest_info", "gauge", "The program's version, and the process that answers.")
        yield f'condvest_info{{version="{version("condvest")}",pid="{os.getpid()}"}} 1'
        yield from _head("condvest_requests_total", "counter", "Requests by path and status.")
        for (label, status), count in sorted(self._statuses.items()):
            yield f'condvest_requests_total{{path="{label}",status="{status}"}} {count}'
        paths = sorted(self._paths.items())
        for name, about, values in (
            ("kept_answers", "Requests answered by what was kept, 304 among them.", "kept"),
            ("sent_bytes", "Bytes of bodies.", "bytes"),
            ("sent_rows", "Rows in answers; those of a 304 are none.", "rows"),
        ):
            yield from _head(f"condvest_{name}_total", "counter", about)
            for label, of_path in paths:
                yield f'condvest_{name}_total{{path="{label}"}} {getattr(of_path, values)}'
        yield from _head("condvest_request_seconds", "histogram", "Seconds from a request to its end.")
        for label, of_path in paths:
            yield from _histogram("condvest_request_seconds", label, of_path)
        yield from _head("process_start_time_seconds", "gauge", "When counting began, seconds since 1970.")
        yield f"process_start_time_seconds {self._started:.3f}"
        yield from _head("process_cpu_seconds_total", "counter", "Processor time of this process.")
        yield f"process_cpu_seconds_total {time.process_time():.3f}"
        resident = _resident_bytes()
        if resident is not None:
            yield from _head("process_resident_memory_bytes", "gauge", "Memory of this process.")
            yield f"process_resident_memory_bytes {resident}"


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"


def _histogram(name: str, label: str, of_path: _OfPath) -> Iterator[str]:
    so_far = 0
    for bound, count in zip((*BOUNDS, "+Inf"), of_path.counts, strict=True):
        so_far += count
        yield f'{name}_bucket{{path="{label}",le="{bound}"}} {so_far}'
    yield f'{name}_sum{{path="{label}"}} {of_path.seconds:.6f}'
    yield f'{name}_count{{path="{label}"}} {so_far}'


def _resident_bytes() -> int | None:
    """Return the memory that this process has; None where the system does not say so in a file."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:  # not Linux
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def add_metrics(app: FastAPI, metrics: Metrics) -> None:
    """Add the path of metrics, for this machine alone."""

    @app.get(
        PATH,
        summary="What this process has done, for Prometheus; to this machine alone.",
        response_class=PlainTextResponse,
    )
    async def counted(request: Request) -> Response:
        check_near(request)
        return Response(metrics.text(), headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPE)


def check_near(request: Request) -> None:
    """Refuse who asks from another machine, or through a proxy on this one.

    Raises:
        Forbidden: it comes from elsewhere.
    """
    passed_on = any(name in _PASSED_ON for name, _ in request.scope["headers"])
    client = request.client.host if request.client else ""
    if passed_on or client not in _NEAR:
        raise Forbidden(f"{PATH} is told to this machine alone: ask for http://127.0.0.1 from here")
    check_hosts(request.scope, LOOPBACK)
