"""Symbols at random, asked for by 1 to 8 threads at once, beside ArcticDB: seconds of a read at each width.

Answers are compared before any is timed, as in `peers.reads`. ``2 threads: condvest`` is the time of all
reads by their number, so that it halves where two threads read twice as much.
"""

import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from benchmarks.peers.reads import OURS, filled
from benchmarks.peers.stores import arctic, sums
from benchmarks.report import Figure, figures, in_turns

WIDTHS = (1, 2, 4, 8)
READS = 400
"""In a measurement, whatever its width."""


def run(options):
    """Yield the figures of each width."""
    with filled(options) as (_, market, ours):
        yield from measured(ours | arctic(market), options, market)


def measured(contenders, options, market):
    """Yield the figures, width by width, when all answers agree."""
    names = market.bars["symbol"].unique(maintain_order=True).to_list()
    chosen = random.Random(options.seed).choices(names, k=READS)
    for name in set(chosen):
        expected, *others = (sums(contender.symbol(name)) for contender in contenders.values())
        for own in others:
            np.testing.assert_allclose(own, expected, rtol=1e-9, err_msg=name)
    for width in WIDTHS:
        with ThreadPoolExecutor(width) as pool:
            work = {name: partial(ask, pool, contender, chosen) for name, contender in contenders.items()}
            for ready in work.values():
                ready()  # a thread's first question opens its connection
            for figure in figures(in_turns(work, options.repeats), {}, READS, OURS):
                each = {key: getattr(figure, key) / READS for key in ("seconds", "fastest", "slowest")}
                yield Figure(**vars(figure) | each | {"name": f"{width} threads: {figure.name}"})


def ask(pool, contender, names):
    """Ask for all the names, as many at a time as the pool has threads."""
    return sum(pool.map(lambda name: len(contender.symbol(name)), names))
