"""What a load has to do to the stored rows, against a dictionary that does it row by row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.fetching.reconcile import reconcile, spans_to_read
from condvest.batch_layer.shared.models.bars import DailyBars

KEYS = st.tuples(st.integers(1, 3), st.integers(0, 4))


def daily(rows):
    """Return daily bars by key: (instrument, ordinal) to close."""
    ids, ordinals = (np.array([key[place] for key in rows], dtype=np.int32) for place in (0, 1))
    closes = np.array(list(rows.values()), dtype=np.float64)
    return DailyBars(ids, ordinals, *[closes] * 6, np.zeros(len(rows), dtype=np.int64))


def rows_of(bars):
    keys = zip(bars.instrument_id.tolist(), bars.ordinal.tolist(), strict=True)
    return dict(zip(keys, bars.close.tolist(), strict=True))


@st.composite
def situations(draw):
    """Stored rows with close, load, whether they yield, whether they may be withdrawn; and wanted ones."""
    facts = st.tuples(st.integers(1, 2), st.integers(1, 9), st.booleans(), st.booleans())
    return draw(st.dictionaries(KEYS, facts, max_size=10)), draw(
        st.dictionaries(KEYS, st.integers(1, 2), max_size=10)
    )


@given(situations())
def test_what_is_done_leads_from_the_stored_rows_to_the_wanted(situation):
    """Applied to the stored rows it gives, key by key, what the rules say."""
    stored, wanted = situation
    columns = list(zip(*stored.values(), strict=True)) or [(), (), (), ()]
    done = reconcile(
        daily({key: fact[0] for key, fact in stored.items()}),
        np.array(columns[1], dtype=np.int32),
        np.array(columns[2], dtype=bool),
        np.array(columns[3], dtype=bool),
        daily(wanted),
    )
    after = {key: fact[0] for key, fact in stored.items()}
    for key in rows_of(done.old):
        del after[key]
    after |= rows_of(done.insert) | rows_of(done.new)

    expected, unchanged, outranked, withdrawn = {}, 0, 0, 0
    for key in stored.keys() | wanted.keys():
        close, _, yields, may_go = stored.get(key, (None, None, True, False))
        if key not in wanted:
            withdrawn += may_go
            expected |= {} if may_go else {key: close}
        else:
            unchanged += wanted[key] == close
            outranked += wanted[key] != close and not yields
            expected[key] = wanted[key] if yields else close
    assert after == expected
    assert (done.unchanged, done.outranked, done.withdrawn) == (unchanged, outranked, withdrawn)
    assert len(done.insert) + len(done.new) + done.unchanged + done.outranked == len(wanted)


@given(situations())
def test_superseded_rows_keep_their_loads_and_stand_beside_their_successors(situation):
    stored, wanted = situation
    columns = list(zip(*stored.values(), strict=True)) or [(), (), (), ()]
    done = reconcile(
        daily({key: fact[0] for key, fact in stored.items()}),
        np.array(columns[1], dtype=np.int32),
        np.array(columns[2], dtype=bool),
        np.array(columns[3], dtype=bool),
        daily(wanted),
    )
    old = rows_of(done.old)
    assert list(old)[: len(done.new)] == list(rows_of(done.new))
    assert dict(zip(old, done.old_load_id.tolist(), strict=True)) == {key: stored[key][1] for key in old}


def test_read_is_what_the_load_reaches_and_what_its_silence_is_about():
    """Instrument 1 from 2 to 9; 2 and 4 over the session claimed; 3 at 5 and over it, joined."""
    wanted = daily({(1, 9): 1, (1, 2): 1, (3, 5): 1})
    spans = spans_to_read(wanted, np.array([2, 3, 4], dtype=np.int32), (6, 7))
    assert list(
        zip(spans.instrument_id.tolist(), spans.first.tolist(), spans.last.tolist(), strict=True)
    ) == [
        (1, 2, 9),
        (2, 6, 7),
        (3, 5, 7),
        (4, 6, 7),
    ]


def test_a_load_of_nothing_reads_what_its_silence_is_about():
    nobody = np.array([], dtype=np.int32)
    assert len(spans_to_read(daily({}), nobody, (0, 0))) == 0
    assert spans_to_read(daily({}), np.array([7], dtype=np.int32), (0, 3)).instrument_id.tolist() == [7]
