"""Help for the tests of publishing: what is compared, and a place that fails when it is told to."""

from batch_layer.processing.publishing.publish import publish
from batch_layer.shared.errors import PublishedUnavailable
from serving_layer.queries.bars_table import read_bars, read_bars_from
from serving_layer.queries.question import Question
from serving_layer.sources.published import PublishedSource


def published(world, place, **how):
    """Resample and publish what a world holds."""
    world.resample()
    return publish(world.workspace.database, world.sessions, place, world.workspace.now, **how)


def from_database(world, **asked):
    return read_bars(world.workspace.database, world.sessions, Question(**asked))


def from_files(place, **asked):
    return read_bars_from(PublishedSource.open(place), Question(**asked))


class Failing:
    """A place whose nth change fails, and all that follow: as when a process is killed, or a server goes."""

    def __init__(self, place, changes):
        self._place = place
        self._left = changes

    def __getattr__(self, name):
        found = getattr(self._place, name)
        return self._counted(found) if name in ("put", "write", "replace", "remove") else found

    def _counted(self, change):
        def attempt(*arguments):
            if self._left == 0:
                raise PublishedUnavailable("the test has taken the place away")
            self._left -= 1
            return change(*arguments)

        return attempt
