"""Symbols at random, asked for by 1 to 8 threads or processes at once, beside ArcticDB: seconds of a read.

Answers are compared before any is timed, as in `peers.reads`; each process has a connection of its own, and
the rows that it read are counted. ``2 threads: condvest`` is the time of all reads by their number, so that
it halves where two threads read twice as much. ``2 processes, processor: condvest`` is what a read takes of
the processors, the server's part included: on a machine with other work its clock says little.
"""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context

import numpy as np

import condvest
from benchmarks.machine import server_seconds
from benchmarks.peers.reads import OURS, Condvest, filled
from benchmarks.peers.stores import ArcticDb, arctic, sums
from benchmarks.report import Figure, figures, in_turns

WIDTHS = (1, 2, 4, 8)
READS = 400
"""In a measurement, whatever its width."""


def run(options):
    """Yield the figures of each width."""
    with filled(options) as (workspace, market, ours):
        contenders = ours | arctic(market)
        names = market.bars["symbol"].unique(maintain_order=True).to_list()
        chosen = random.Random(options.seed).choices(names, k=READS)
        rows = agreed(contenders, chosen)
        for width in WIDTHS:
            yield from by_threads(width, contenders, chosen, options)
        openers = {name: partial(Condvest, **each.how) for name, each in ours.items()}
        if len(contenders) > len(ours):
            openers["ArcticDB"] = partial(ArcticDb, market.folder, market.splits)
        for width in WIDTHS:
            yield from by_processes(width, openers, chosen, options, rows, workspace.settings.home)


def agreed(contenders, chosen):
    """Return how many rows all the answers have, when they agree."""
    rows = {}
    for name in set(chosen):
        expected, *others = (sums(contender.symbol(name)) for contender in contenders.values())
        for own in others:
            np.testing.assert_allclose(own, expected, rtol=1e-9, err_msg=name)
        rows[name] = expected[0]
    return sum(rows[name] for name in chosen)


def by_threads(width, contenders, chosen, options):
    """Yield the figures of so many threads."""
    with ThreadPoolExecutor(width) as pool:
        work = {name: partial(ask, pool, contender, chosen) for name, contender in contenders.items()}
        for ready in work.values():
            ready()  # a thread's first question opens its connection
        yield from of_a_read(f"{width} threads", in_turns(work, options.repeats))


def by_processes(width, openers, chosen, options, rows, home):
    """Yield the figures of so many processes, which must have read so many rows, by clock and processor."""
    with ExitStack() as stack:
        work, opened = {}, []
        for name, opener in openers.items():
            opened.append(stack.enter_context(Processes(width, opener)))
            work[name] = partial(opened[-1].ask, chosen)
            read = work[name]()
            if read != rows:
                raise AssertionError(f"{name}: {read} rows, and not {rows}")

        def clock():
            own = sum(processes.seconds() for processes in opened)
            return np.array([time.perf_counter(), own + (server_seconds(home) or 0.0)])

        measured = in_turns(work, options.repeats, clock=clock)
    for at, label in enumerate((f"{width} processes", f"{width} processes, processor")):
        yield from of_a_read(label, {name: [each[at] for each in both] for name, both in measured.items()})


def of_a_read(label, seconds):
    """Yield the figures of contenders, in seconds of a read."""
    for figure in figures(seconds, {}, READS, OURS):
        each = {key: float(getattr(figure, key)) / READS for key in ("seconds", "fastest", "slowest")}
        each["ratio"] = float(figure.ratio)
        yield Figure(**vars(figure) | each | {"name": f"{label}: {figure.name}"})


def ask(pool, contender, names):
    """Ask for all the names, as many at a time as the pool has threads."""
    return sum(pool.map(lambda name: len(contender.symbol(name)), names))


class Processes:
    """Processes that each open a contender, and read the names that they are sent."""

    def __init__(self, width, opener):
        context = get_context("spawn")  # a fork would share connections
        self._pipes = []
        self._processes = []
        for _ in range(width):
            own, theirs = context.Pipe()
            self._pipes.append(own)
            self._processes.append(context.Process(target=serve, args=(theirs, opener), daemon=True))
            self._processes[-1].start()
            theirs.close()

    def ask(self, names):
        """Divide the names among the processes; return how many rows they read."""
        for at, pipe in enumerate(self._pipes):
            pipe.send(names[at :: len(self._pipes)])
        return sum(pipe.recv()[0] for pipe in self._pipes)

    def seconds(self):
        """Return the processor seconds that they have taken."""
        for pipe in self._pipes:
            pipe.send([])
        return sum(pipe.recv()[1] for pipe in self._pipes)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


def serve(pipe, opener):
    """Answer lists of names with their rows and the processor seconds so far, until the pipe is closed."""
    contender = opener()
    with ExitStack() as stack:
        if isinstance(contender, Condvest):
            stack.enter_context(condvest.connected(settings=contender.how["settings"]))
        while True:
            try:
                names = pipe.recv()
            except EOFError:
                return
            rows = sum(len(contender.symbol(name)) for name in names)
            pipe.send((rows, time.process_time()))
