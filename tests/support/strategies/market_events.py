"""Strategies: whatever may happen to a small market, one event at a time.

An event is a tuple whose first element names its kind; `tests.support.worlds.playing` does it to a `World`.
Sessions are ordinals around 1962-01-02, which is session 0.
"""

from hypothesis import strategies as st

FIRST, LAST = -5, 36
"""Sessions on both sides of ordinal 0 occur; 33 ends the first window of 34 sessions."""

SYMBOLS = ("A", "B", "b")
FIGIS = ("F1", "F2")
RATIOS = ((1, 2), (2, 3), (10, 1), (7, 3), (1, 1))

symbols = st.sampled_from(SYMBOLS)
ordinals = st.integers(FIRST, LAST)
crowded_ordinals = st.one_of(st.integers(FIRST, 9), ordinals)
"""Most events concern a few sessions, so that one meets another."""

_versions = st.integers(0, 2)
_actions = st.tuples(symbols, crowded_ordinals, st.sampled_from([0, 1]))
"""Symbol, ordinal, and 1 for an ex-date on the date after that session, which need not be a session."""


def file_imports():
    """("import", provider, {(symbol, ordinal): version}): a file with any bars of any sessions."""
    keys = st.dictionaries(st.tuples(symbols, crowded_ordinals), _versions, min_size=1, max_size=6)
    return st.tuples(st.just("import"), st.sampled_from(["file", "mine", "massive"]), keys)


def vendor_answers():
    """("answer", provider, first ordinal, length, version, share, seed): a vendor's whole-market answer.

    It covers a run of sessions: most bars, some missing, some not fit to load.
    """
    return st.tuples(
        st.just("answer"),
        st.sampled_from(["sample", "massive"]),
        crowded_ordinals,
        st.one_of(st.integers(0, 2), st.integers(0, 20)),
        _versions,
        st.sampled_from([1.0, 0.9, 0.3, 0.0]),
        st.integers(0, 2**16),
    )


def split_loads():
    """("splits", provider, whole, {(symbol, ordinal, later): ratio}): a file's, or all of a vendor's."""
    ratio = st.sampled_from(RATIOS)
    return st.one_of(
        _loads_of("splits", ["file", "massive"], ratio, whole=False, min_size=1),
        _loads_of("splits", ["sample", "massive"], ratio, whole=True),
    )


def dividend_loads():
    """("dividends", provider, whole, {(symbol, ordinal, later): cash amount}); see `split_loads`."""
    amount = st.sampled_from([0.1, 0.25, 3.0])
    return st.one_of(
        _loads_of("dividends", ["file", "massive"], amount, whole=False, min_size=1),
        _loads_of("dividends", ["sample", "massive"], amount, whole=True),
    )


def _loads_of(kind, providers, values, *, whole, min_size=0):
    rows = st.dictionaries(_actions, values, min_size=min_size, max_size=3)
    return st.tuples(st.just(kind), st.sampled_from(providers), st.just(whole), rows)


def listing_loads():
    """("listings", symbols, FIGIs, name, delisted, whole): a vendor's reference.

    Some symbols with FIGI, name and status; no two have the same FIGI. ``delisted`` is the ordinal at which
    the first symbol was delisted, or None.
    """
    figis = st.permutations([*FIGIS, "", ""]).map(lambda drawn: drawn[: len(SYMBOLS)])
    return _listing_loads(figis, st.one_of(st.none(), ordinals))


def listing_loads_without_figis():
    """As `listing_loads`, of active symbols without a FIGI: nothing is renamed."""
    return _listing_loads(st.just(["", "", ""]), st.none())


def _listing_loads(figis, delisted):
    return st.tuples(
        st.just("listings"),
        st.sets(symbols, min_size=1).map(sorted),
        figis,
        st.sampled_from(["One Inc.", "Two Inc."]),
        delisted,
        st.booleans(),
    )


def renames():
    """("renames", FIGI, [(ordinal, symbol)]): the symbols that an instrument took, one after the other."""
    taken = st.dictionaries(ordinals, symbols, min_size=1, max_size=3)
    return st.tuples(
        st.just("renames"), st.sampled_from(FIGIS), taken.map(lambda drawn: sorted(drawn.items()))
    )


def stated_renames():
    """("stated", {(ordinal, symbol): the symbol taken}): a person's file of renames; "" takes one back."""
    taken = st.dictionaries(
        st.tuples(ordinals, symbols), st.sampled_from(["", *SYMBOLS]), min_size=1, max_size=3
    )
    return st.tuples(st.just("stated"), taken)


def repeats():
    """("again", number): an earlier payload once more: the same bytes, fetched later."""
    return st.tuples(st.just("again"), st.integers(0, 30))


def unreadable_files():
    """("broken", data set, number): a file that cannot be read."""
    return st.tuples(st.just("broken"), st.sampled_from(["daily_bars", "splits"]), st.integers(0, 2))


def shard_resamplings():
    """("resample", partitions, full): some of the partitions; the few instruments are in the first ones."""
    return st.tuples(st.just("resample"), st.sets(st.integers(0, 5), min_size=1), st.booleans())


def any_loads():
    """Whatever may be loaded."""
    return st.one_of(
        file_imports(),
        file_imports(),
        vendor_answers(),
        vendor_answers(),
        split_loads(),
        dividend_loads(),
        listing_loads(),
        renames(),
        stated_renames(),
        repeats(),
        unreadable_files(),
    )


def bar_changes():
    """Any load that changes daily bars or splits."""
    return st.one_of(file_imports(), vendor_answers(), split_loads())


def bar_histories():
    """Histories of such loads, with shards resampled and the stored bars checked in between."""
    steps = st.one_of(bar_changes(), bar_changes(), shard_resamplings(), st.just(("check",)))
    return st.lists(steps, min_size=1, max_size=16)
