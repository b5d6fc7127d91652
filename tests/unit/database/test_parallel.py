"""Work on two connections at once, with stand-ins for the connections."""

import threading

import pytest

from condvest.batch_layer.database.postgres.parallel import side_by_side


class Line:
    """A connection of which others can be had."""

    def __init__(self, opened=None):
        self.opened = [] if opened is None else opened
        self.opened.append(self)
        self.interrupted = threading.Event()
        self.closed = False

    def another(self):
        return Line(self.opened)

    def interrupt(self):
        self.interrupted.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True


def test_one_item_needs_no_other_connection():
    line = Line()
    assert list(side_by_side(line, lambda one, item: (one, item), [5])) == [(5, (line, 5))]
    assert list(side_by_side(line, lambda _, item: item, [])) == []
    assert line.opened == [line]


def test_two_are_done_at_once_each_on_its_own():
    """Each of the first two waits for the other to begin; all come, once, and the connections are closed."""
    line, both = Line(), threading.Barrier(2, timeout=10)

    def work(one, item):
        if item < 2:
            both.wait()
        return one, item

    done = list(side_by_side(line, work, range(7)))
    assert sorted((item, result[1]) for item, result in done) == [(item, item) for item in range(7)]
    used = {id(result[0]) for _, result in done}
    assert len(used) == 2
    assert used == {id(one) for one in line.opened[1:]}
    assert all(one.closed for one in line.opened[1:])


def test_an_error_ends_what_has_not_begun():
    """What is under way beside it ends by itself, and is not interrupted."""
    line, failed, begun = Line(), threading.Event(), []

    def work(one, item):
        begun.append(item)
        if item == 0:
            failed.set()
            raise ValueError("the first is broken")
        failed.wait(timeout=10)
        return one

    with pytest.raises(ValueError, match="the first is broken"):
        list(side_by_side(line, work, range(100)))
    assert len(begun) <= 3
    assert not any(one.interrupted.is_set() for one in line.opened)


def test_who_stops_interrupts_what_is_under_way():
    """The second would wait for ever."""
    line = Line()

    def work(one, item):
        if item == 1:
            one.interrupted.wait(timeout=10)
        return item

    coming = side_by_side(line, work, [0, 1])
    assert next(coming) == (0, 0)
    coming.close()
    assert all(one.interrupted.is_set() for one in line.opened[1:])
    assert all(one.closed for one in line.opened[1:])
