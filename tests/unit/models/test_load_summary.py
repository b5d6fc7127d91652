"""What the summary of a load says of itself."""

import datetime as dt

from condvest.batch_layer.shared.models.loads import LoadSummary


def summary(**counts):
    return LoadSummary("a.csv", "file", "daily_bars", **counts)


def test_altered_counts_what_is_stored_otherwise_now():
    assert summary(inserted=1, changed=2, withdrawn=4, unchanged=8, outranked=16, duplicates=32).altered == 7
    assert summary(rows=5, unchanged=5).altered == 0


def test_attention_is_needed_for_newly_refused_rows_and_partial_sessions():
    assert not summary(rows=3, inserted=3).needs_attention
    assert not summary(refused={"malformed": 1}).needs_attention
    assert summary(refused={"malformed": 2}, newly_refused={"malformed": 1}).needs_attention
    assert summary(partial=(dt.date(2024, 5, 31),)).needs_attention
