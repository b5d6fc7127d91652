"""The column of symbols, which is made of bytes, says what the rows' instruments are called."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from condvest.serving_layer.queries.bars import bars_table

runs = st.lists(st.tuples(st.text(max_size=6), st.integers(1, 4)), max_size=6)


@given(drawn=runs)
def test_each_row_has_the_symbol_of_its_instrument(drawn):
    ids = np.repeat(np.arange(len(drawn), dtype=np.int32), [count for _, count in drawn])
    symbols = {number: text for number, (text, _) in enumerate(drawn)}
    answer = SimpleNamespace(bars=SimpleNamespace(instrument_id=ids), symbols=symbols)
    made = bars_table._symbols(answer)
    made.validate(full=True)
    assert made.equals(pa.array([symbols[each] for each in ids.tolist()], pa.string()))
