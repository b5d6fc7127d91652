"""Help for the tests of publishing: what is compared, and a target that fails when it is told to."""

import datetime as dt
from pathlib import Path

from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.shared.errors import PublishedUnavailable
from condvest.serving_layer.queries.bars.bars_table import read_bars, read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.payloads import bar


def published(world, target, **how):
    """Resample and publish what a world holds."""
    world.resample()
    return publish(world.workspace.database, world.sessions, target, world.workspace.now, **how)


def from_database(world, **asked):
    """Return what a question is answered by the database of a world."""
    return read_bars(world.workspace.database, world.sessions, Question(**asked))


def from_files(target, **asked):
    """Return what a question is answered by published files."""
    return read_bars_from(PublishedSource.open(target), Question(**asked))


class Failing:
    """A place whose nth change fails, and all that follow: as when a process is killed, or a server goes."""

    def __init__(self, target, changes):
        self._target = target
        self._left = changes

    def __getattr__(self, name):
        attribute = getattr(self._target, name)
        return self._counted(attribute) if name in ("put", "write", "replace", "remove") else attribute

    def _counted(self, change):
        def attempt(*arguments):
            if self._left == 0:
                raise PublishedUnavailable("the test has taken the place away")
            self._left -= 1
            return change(*arguments)

        return attempt


def files_of(target):
    """Return {path: bytes} of all files in a directory that is published into."""
    root = Path(target.name)
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def quote(symbol, session, close, **more):
    """Return a daily bar around a close."""
    return bar(symbol, session, open=close, high=close + 1, low=close - 1, close=close, **more)


def correct(world, number):
    """Alter the close of B's first sessions, each number to another value."""
    first = (dt.date(2021, 11, 1), dt.date(2021, 11, 2), dt.date(2021, 11, 3))
    world.bars([quote("B", session, 60.25 + number) for session in first])
    world.resample()


def publishing_read(source):
    """Read the bars of three sessions from an open source."""
    return read_bars_from(source, Question(interval=3, adjust="none", include_open=True))
