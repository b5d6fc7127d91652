"""The next thing is made while the present one is in use."""

import threading

import pytest

from batch_layer.shared.utils.ahead import one_ahead


def test_the_items_come_in_their_order():
    """All of them, and none of nothing."""
    assert list(one_ahead(range(5))) == [0, 1, 2, 3, 4]
    assert list(one_ahead(())) == []


def test_one_is_made_while_another_is_in_use():
    """The second is made before the first is given back, and the third is not."""
    made = {number: threading.Event() for number in range(4)}

    def make():
        for number, event in made.items():
            event.set()
            yield number

    items = one_ahead(make())
    assert next(items) == 0
    assert made[1].wait(timeout=10)
    assert not made[2].is_set()
    assert next(items) == 1
    assert made[2].wait(timeout=10)
    assert not made[3].is_set()


def test_an_error_comes_in_the_place_of_its_item():
    """What was made before it is good."""

    def make():
        yield 1
        yield 2
        raise ValueError("the third is broken")

    items = one_ahead(make())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="the third is broken"):
        next(items)


def test_who_stops_does_not_wait():
    """Though the next item would never be made."""
    never = threading.Event()

    def make():
        yield 1
        never.wait()
        yield 2

    items = one_ahead(make())
    assert next(items) == 1
    items.close()
    never.set()
