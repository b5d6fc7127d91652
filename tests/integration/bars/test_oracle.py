"""Any question about any market, from the database and from what is published, against the naive model.

The model is given the rows that were drawn, not what was stored. A window is complete if each of its sessions
was loaded in full; halts are no lack.
"""

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from tests.support.naive.state import rows_read
from tests.support.publishing import from_database, from_files, published
from tests.support.strategies.markets import markets

FIRST, LENGTH = 14_500, 145
"""The market's sessions: seven months of 2019 and 2020, so that windows of 100 and 252 have no end."""

COMPLETE = -1
"""The place of is_complete in a row of the model."""

questions = st.fixed_dictionaries(
    {
        "interval": st.sampled_from([1, 2, 3, 5, 8, 13, 20, 34, 100, 252]),
        "adjust": st.sampled_from(["none", "splits", "total"]),
        "anchor": st.sampled_from(["calendar", "listing"]),
        "include_open": st.booleans(),
        "start": st.none() | st.integers(0, 60),
        "end": st.none() | st.integers(60, LENGTH + 20),
    }
)


def same(found, expected):
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-9)
    return found == expected


def check(found, expected):
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    for one, other in zip(found, expected, strict=True):
        assert all(map(same, one, other)), (one, other)


def expected_rows(world, state, names, asked):
    """Return what the model answers, open bars and bounds as asked for."""
    n, listing = asked["interval"], asked["anchor"] == "listing"
    firsts = {}
    for row in state.daily:
        firsts.setdefault(names[row["instrument_id"]], row["ordinal"])

    def ends_within(symbol, window):
        end = window * n + n - 1 + (firsts[symbol] if listing else 0)
        low = world.sessions.first_ordinal if asked["start"] is None else FIRST + asked["start"]
        high = world.sessions.last_ordinal if asked["end"] is None else FIRST + asked["end"]
        return low <= end <= high

    return [
        row
        for row in state.bars(n, asked["adjust"], names, listing=listing)
        if (asked["include_open"] or row[COMPLETE]) and ends_within(*row[:2])
    ]


@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_every_answer_is_that_of_the_naive_model(lasting_world, tmp_path_factory, data):
    """Ten markets, 24 questions each, of both sources: 480 answers."""
    world = lasting_world
    world.empty()
    dates = [world.date(FIRST + at) for at in range(LENGTH)]
    market = data.draw(markets(dates))
    if not market.bars:
        return
    world.bars(market.bars)
    for load, rows in ((world.splits, market.splits), (world.dividends, market.dividends)):
        if rows:
            load(rows)
    target = DirectoryTarget(tmp_path_factory.mktemp("published"))
    published(world, target)
    state = market.state(world.sessions)
    names = dict(enumerate(market.names(), start=1))
    for asked in data.draw(st.lists(questions, min_size=24, max_size=24)):
        expected = expected_rows(world, state, names, asked)
        bounds = {
            name: None if asked[name] is None else world.date(FIRST + asked[name])
            for name in ("start", "end")
        }
        for found in (from_database(world, **asked | bounds), from_files(target, **asked | bounds)):
            check(rows_read(found), expected)
