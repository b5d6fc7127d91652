"""Strategies: rows of daily bars as a provider may send them, sound and faulty."""

import numpy as np
from hypothesis import strategies as st


def candidate_bars(dates):
    """Draw up to a dozen rows as dictionaries, mostly of ``dates``; few values, some of them faulty."""
    prices = st.sampled_from([1.0, 2.0, 3.0, 2.5, 0.0, -1.0, np.nan, np.inf]) | st.sampled_from([2.0])
    return st.lists(
        st.fixed_dictionaries(
            {
                "symbol": st.sampled_from(["A", "B", "b", "A B", ""]),
                "session": st.sampled_from(
                    [*map(str, dates), "2024-01-06", "2023-01-03", "2031-01-02", "NaT"]
                ),
                "open": prices,
                "high": st.sampled_from([3.0, 2.0]),
                "low": st.sampled_from([1.0, 2.0, 4.0]),
                "close": prices,
                "volume": st.sampled_from([0.0, 5.0, -1.0]),
                "vwap": st.sampled_from([np.nan, 2.0, 0.0]),
                "trades": st.sampled_from([-1, -1, 4, -2]),
            }
        ),
        max_size=12,
    )
