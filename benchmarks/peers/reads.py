"""One symbol, one session and a whole market, adjusted, beside the peers; symbols at random, in turn.

Every answer is compared with Condvest's before any is timed: numbers of rows, and sums of all columns.
"""

import random
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from psycopg.conninfo import make_conninfo

import condvest
from benchmarks import stored
from benchmarks.core import FIRST_ORDINAL, SESSIONS
from benchmarks.peers.stores import Duck, Market, Polars, Sql, arctic, sums
from benchmarks.read import INTERVAL, fill
from benchmarks.report import Figure, figures, in_turns
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.sources.published import PublishedSource

OURS = "condvest"
SYMBOLS = 50
"""Read one after the other in a measurement."""


class Condvest:
    """The API as documented: connected, or from published files."""

    def __init__(self, **how):
        self.how = how

    def symbol(self, name):
        return condvest.bars(name, INTERVAL, **self.how)

    def session(self, date):
        return condvest.bars(None, 1, start=date, end=date, **self.how)

    def market(self):
        return condvest.bars(None, INTERVAL, **self.how)


@contextmanager
def filled(options):
    """Give a workspace with a market, what its peers' stores are made of, and Condvest's contenders."""
    with tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder:
        settings = Settings(home=Path(folder))
        with open_workspace(settings, now=stored.NOW) as workspace, condvest.connected(settings=settings):
            fill(workspace, options)
            place = DirectoryTarget(Path(folder) / "published")
            publish(workspace.database, workspace.sessions, place, workspace.now)
            ours = {
                OURS: Condvest(settings=settings),
                "condvest, published": Condvest(source="published", settings=settings),
            }
            yield workspace, Market(PublishedSource.open(place).files, Path(folder)), ours


def run(options):
    """Yield the figures of each question."""
    with filled(options) as (workspace, market, ours):
        contenders = {
            **ours,
            "plain SQL": Sql(make_conninfo(**workspace.database.url.parameters)),
            "DuckDB": Duck(market),
            "Polars": Polars(market),
            **arctic(market),
        }
        date = workspace.sessions.session(FIRST_ORDINAL + SESSIONS // 3)
        yield from measured(contenders, options, market, date)


def measured(contenders, options, market, date):
    """Yield the figures, group by group, when all answers agree."""
    names = market.bars["symbol"].unique(maintain_order=True).to_list()
    chosen = random.Random(options.seed).sample(names, min(SYMBOLS, len(names)))
    questions = {
        "symbol": lambda contender: [contender.symbol(name) for name in chosen],
        "session": lambda contender: contender.session(date),
        "market": lambda contender: contender.market(),
    }
    for group, question in questions.items():
        times, expected = len(chosen) if group == "symbol" else 1, None
        work = {name: partial(question, contender) for name, contender in contenders.items()}
        for name, ask in work.items():
            answers = ask() if group == "symbol" else [ask()]
            own = np.sum([sums(answer) for answer in answers], axis=0)
            expected = own if expected is None else expected
            np.testing.assert_allclose(own, expected, rtol=1e-9, err_msg=f"{group}: {name}")
        for figure in figures(in_turns(work, options.repeats), {}, int(expected[0]), OURS):
            each = {key: getattr(figure, key) / times for key in ("seconds", "fastest", "slowest")}
            yield Figure(**vars(figure) | each | {"name": f"{group}: {figure.name}"})
