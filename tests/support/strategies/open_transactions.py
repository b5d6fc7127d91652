"""Strategy: loads into a small market, among transactions that stay open and end in any order."""

from hypothesis import strategies as st

from tests.support.strategies.market_events import (
    dividend_loads,
    file_imports,
    listing_loads,
    renames,
    shard_resamplings,
    split_loads,
    stated_renames,
    vendor_answers,
)


def histories_with_open_transactions(longest):
    """Lists of events of `market_events`, and ("begin",), ("commit", number), ("roll back", number).

    The number chooses one of the transactions that are open.
    """
    loads = st.one_of(
        file_imports(),
        vendor_answers(),
        split_loads(),
        dividend_loads(),
        listing_loads(),
        renames(),
        stated_renames(),
        shard_resamplings(),
    )
    begins = st.just(("begin",))
    ends = st.tuples(st.sampled_from(["commit", "commit", "roll back"]), st.integers(0, 5))
    return st.lists(st.one_of(loads, begins, ends, ends), min_size=2, max_size=longest)
