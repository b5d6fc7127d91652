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


def test_an_action_of_nobody_is_a_typo_in_a_file_and_no_news_of_a_vendor():
    """A vendor's lists of splits name securities without bars, each night."""
    nobody = {"refused": {"no_instrument": 1}, "newly_refused": {"no_instrument": 1}}
    needs = {
        provider: LoadSummary("splits", provider, "splits", **nobody).needs_attention
        for provider in ("file", "my-vendor", "massive", "yahoo", "sample")
    }
    assert needs == {"file": True, "my-vendor": True, "massive": False, "yahoo": False, "sample": False}
    assert not LoadSummary("s.csv", "file", "splits", newly_refused={"taken_back": 1}).needs_attention
