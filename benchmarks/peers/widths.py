"""Symbols at random, asked for by 1 to 8 threads at once, beside ArcticDB: seconds of a read at each width.

Answers are compared before any is timed, as in `peers.reads`. ``2 threads: condvest`` is the time of all
reads by their number, so that it halves where two threads read twice as much.
"""

import random
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

import condvest
from benchmarks import stored
from benchmarks.peers.reads import OURS, Condvest
from benchmarks.peers.stores import Market, arctic, sums
from benchmarks.read import fill
from benchmarks.report import Figure, figures, in_turns
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.sources.published import PublishedSource

WIDTHS = (1, 2, 4, 8)
READS = 400
"""In a measurement, whatever its width."""


def run(options):
    """Yield the figures of each width."""
    with tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder:
        settings = Settings(home=Path(folder))
        with open_workspace(settings, now=stored.NOW) as workspace, condvest.connected(settings=settings):
            fill(workspace, options)
            place = DirectoryTarget(Path(folder) / "published")
            publish(workspace.database, workspace.sessions, place, workspace.now)
            market = Market(PublishedSource.open(place).files, Path(folder))
            contenders = {
                OURS: Condvest(settings=settings),
                "condvest, published": Condvest(source="published", settings=settings),
                **arctic(market),
            }
            yield from measured(contenders, options, market)


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
