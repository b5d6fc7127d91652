"""What is known of the session under way is a join: of whatever order, however often, it comes to the same.

The model beside it is a dictionary per symbol that is made anew from all messages each time.
"""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from condvest.speed_layer.core.provisional import bars_of
from condvest.speed_layer.core.state import (
    MINUTE,
    Anchors,
    Minutes,
    Totals,
    Trades,
    join,
    nothing,
    of_anchor,
    of_minutes,
)

OPENS, CLOSES = 100 * MINUTE, 130 * MINUTE
SLOTS = 3
NAN = math.nan

prices = st.integers(1, 50).map(float)
bars = st.tuples(prices, prices, prices, prices).map(lambda p: (p[0], max(p), min(p), p[3]))
anchors = st.tuples(
    st.just("anchor"), st.integers(0, SLOTS - 1), st.integers(98, 132), bars, st.integers(0, 99)
)
minutes = st.tuples(
    st.just("minute"),
    st.integers(0, SLOTS - 1),
    st.integers(98, 132),
    bars,
    st.integers(0, 99),
    st.one_of(st.just(NAN), prices),
)
messages = st.lists(st.one_of(anchors, minutes), max_size=12)
"""Kind, slot, the data's minute, prices, the date's volume so far, and of a minute the official open."""


def lifted(message, seq):
    """Return what one message says."""
    kind, slot, minute, price, volume, *rest = message
    one = np.array([slot], np.int32)
    at, arrival = np.array([minute * MINUTE]), np.array([seq])
    columns = [np.array([value]) for value in price]
    total, vwap = np.array([float(volume)]), np.array([NAN])
    if kind == "anchor":
        row = Anchors(at, arrival, *columns, total, vwap)
        return of_anchor(SLOTS, one, row, Trades(at, arrival, columns[3]))
    totals = Totals(at + MINUTE, arrival, np.array(rest), total, vwap)
    return of_minutes(SLOTS, Minutes(one, at, arrival, *columns), totals, (OPENS, CLOSES))


def known(state):
    """Return the provisional bars as a dictionary by slot."""
    found = bars_of(state)
    names = ("open", "high", "low", "close", "volume", "data_through")
    rows = zip(*(getattr(found, name).tolist() for name in names), strict=True)
    return dict(zip(found.slot.tolist(), map(repr, rows), strict=True))


def expected(numbered):
    """Return the same by the rules in words, from all messages (with their arrival) at once."""
    answer = {}
    for slot in range(SLOTS):
        own = [(seq, message) for seq, message in numbered if message[1] == slot]
        snapshots = [(m[2], seq, m) for seq, m in own if m[0] == "anchor"]
        anchor = max(snapshots)[2] if snapshots else None
        anchored = anchor[2] if anchor else -1
        cells = {}
        for _, m in sorted(own):
            if m[0] == "minute" and 100 <= m[2] < 130 and m[2] + 1 > anchored:
                cells[m[2]] = m[3]
        if not anchor and not cells:
            continue
        totals = max(((m[2] + 1, seq, m) for seq, m in own if m[0] == "minute"), default=None)
        parts = [cells[minute] for minute in sorted(cells)]
        if anchor:
            opened = anchor[3][0]
        elif not math.isnan(totals[2][5]):
            opened = totals[2][5]
        else:
            opened = parts[0][0]
        all_parts = [*([anchor[3]] if anchor else []), *parts]
        is_later = totals and (not anchor or totals[:2] > max(snapshots)[:2])
        volume = totals[2][4] if is_later else anchor[4]
        through = max(anchored, totals[0] if totals else -1, *(minute + 1 for minute in cells), -1)
        row = (
            opened,
            max(opened, *(part[1] for part in all_parts)),
            min(opened, *(part[2] for part in all_parts)),
            all_parts[-1][3],
            float(volume),
            through * MINUTE,
        )
        answer[slot] = repr(row)
    return answer


def folded(states):
    whole = nothing()
    for state in states:
        whole = join(whole, state)
    return whole


@settings(max_examples=80)
@given(given_messages=messages, order=st.randoms(use_true_random=False))
def test_any_order_any_repetition_and_any_grouping_come_to_what_the_messages_say(given_messages, order):
    """Commutative, idempotent, associative, and right."""
    numbered = list(enumerate(given_messages, start=1))
    states = [lifted(message, seq) for seq, message in numbered]
    wanted = expected(numbered)
    assert known(folded(states)) == wanted
    mixed = [*states, *order.choices(states, k=3)] if states else []
    order.shuffle(mixed)
    assert known(folded(mixed)) == wanted
    cut = order.randint(0, len(mixed))
    assert known(join(folded(mixed[:cut]), folded(mixed[cut:]))) == wanted
    whole = folded(states)
    assert known(join(whole, whole)) == wanted


def test_the_example_of_the_module():
    """Worked by hand: a minute that is sent again replaces itself, and the next anchor drops it."""
    first = lifted(("anchor", 0, 120, (10.0, 12.0, 9.0, 11.0), 500), 1)
    high = lifted(("minute", 0, 120, (11.0, 13.0, 11.0, 12.5), 600, NAN), 2)
    again = lifted(("minute", 0, 120, (11.0, 11.0, 11.0, 11.0), 590, NAN), 3)
    later = lifted(("anchor", 0, 125, (10.0, 12.0, 9.0, 10.5), 700), 4)
    seen = []
    state = nothing()
    for one in (first, high, again, later):
        state = join(state, one)
        found = bars_of(state)
        seen.append((found.high[0], found.close[0], found.volume[0], len(state.minutes)))
    assert seen == [
        (12.0, 11.0, 500.0, 0),
        (13.0, 12.5, 600.0, 1),
        (12.0, 11.0, 590.0, 1),
        (12.0, 10.5, 700.0, 0),
    ]


def test_a_price_before_the_open_or_after_the_close_makes_no_bar():
    for minute in (99, 130):
        state = lifted(("minute", 0, minute, (10.0, 12.0, 9.0, 11.0), 500, NAN), 1)
        assert len(bars_of(state)) == 0
        assert state.trades.price[0] == 11.0
