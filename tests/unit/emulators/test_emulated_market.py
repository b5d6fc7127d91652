"""The synthetic market is consistent, the same for a seed, and shows every fate it promises."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market

FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 6, 28)
PRICES = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def market():
    return Market(seed=3, instruments=400, first_session=FIRST, last_session=LAST)


def by_symbol(rows):
    return {
        symbol: tuple(getattr(rows, name)[place] for name in (*PRICES, "volume"))
        for place, symbol in enumerate(rows.symbol)
    }


def instrument_named(market, symbol, date):
    return next(
        one["instrument"]
        for one in truth.instruments(market)
        for name in one["names"]
        if name["symbol"] == symbol and name["from"] <= date and (name["to"] is None or date <= name["to"])
    )


def test_sessions_are_those_of_the_exchange(market):
    """124 sessions in the first half of 2024, without Good Friday and Juneteenth."""
    sessions = market.sessions()
    assert len(sessions) == 124
    assert (sessions[0], sessions[-1]) == (FIRST, LAST)
    assert dt.date(2024, 3, 29) not in sessions
    assert dt.date(2024, 6, 19) not in sessions


def test_the_same_seed_makes_the_same_market_and_another_seed_another(market):
    again = Market(seed=3, instruments=400, first_session=FIRST, last_session=LAST)
    other = Market(seed=4, instruments=400, first_session=FIRST, last_session=LAST)
    session = dt.date(2024, 5, 6)
    assert market.bars(session).as_lists() == again.bars(session).as_lists()
    assert truth.splits(market) == truth.splits(again)
    assert truth.dividends(market) == truth.dividends(again)
    assert truth.instruments(market) == truth.instruments(again)
    assert by_symbol(market.bars(session)) != by_symbol(other.bars(session))


def test_a_session_and_an_instruments_history_tell_the_same(market):
    session = dt.date(2024, 4, 10)
    rows = market.bars(session, otc=True)
    told = by_symbol(rows)
    for instrument in rows.instrument[:60].tolist():
        history = market.history(instrument)
        (place,) = np.flatnonzero(history.session == np.datetime64(session))
        row = tuple(getattr(history, name)[place] for name in (*PRICES, "volume"))
        assert told[history.symbol[place]] == row


@given(seed=st.integers(0, 2**32), place=st.integers(0, 40))
@settings(max_examples=15, deadline=None)
def test_bars_keep_the_rules_of_bars(seed, place):
    """Bounds hold, prices have four decimals, volume and trades are positive, no symbol stands twice."""
    market = Market(seed=seed, instruments=150, first_session=FIRST, last_session=dt.date(2024, 2, 29))
    rows = market.bars(market.sessions()[place])
    assert len(rows) > 100
    assert (rows.low > 0).all()
    assert (rows.low <= np.minimum(rows.open, rows.close)).all()
    assert (rows.high >= np.maximum(rows.open, rows.close)).all()
    known = ~np.isnan(rows.vwap)
    assert ((rows.low <= rows.vwap) & (rows.vwap <= rows.high))[known].all()
    assert ((rows.trades >= 1) == known).all()
    for name in PRICES:
        values = getattr(rows, name)
        assert (values == np.round(values, 4)).all()
    assert (rows.volume > 0).all()
    assert len(set(rows.symbol)) == len(rows)
    assert not rows.otc.any()


def test_volume_is_fractional_for_some(market):
    volume = market.bars(LAST).volume
    share = np.mean(volume != np.floor(volume))
    assert 0.02 < share < 0.3


def test_splits_are_really_in_the_prices_as_traded(market):
    """Across an ex-date the close jumps by split_from/split_to, but for the session's own return."""
    splits = truth.splits(market)
    dates = market.sessions()
    assert {one["adjustment_type"] for one in splits} == {"forward_split", "reverse_split", "stock_dividend"}
    for split in splits:
        at = dates.index(dt.date.fromisoformat(split["ex_date"]))
        before = market.close_on(split["instrument"], at - 1)
        after = market.close_on(split["instrument"], at)
        own = np.log(after / before) - np.log(split["split_from"] / split["split_to"])
        assert abs(own) < 4 * 0.035 + 0.04, split


def test_the_4_for_1_split_of_aapl_quarters_its_price_and_nobody_sees_it_in_adjusted_bars(market):
    history = market.history(2)
    (split,) = [one for one in truth.splits(market) if one["symbol"] == "AAPL"]
    assert (split["split_from"], split["split_to"]) == (1, 4)
    ex = int(np.searchsorted(history.session, np.datetime64(split["ex_date"])))
    assert history.close[ex] / history.close[ex - 1] == pytest.approx(0.25, rel=0.2)
    adjusted = market.adjusted(history)
    assert adjusted.close[ex - 1] == pytest.approx(history.close[ex - 1] / 4, abs=1e-4)
    assert adjusted.volume[ex - 1] == pytest.approx(history.volume[ex - 1] * 4)
    assert (adjusted.close[ex:] == history.close[ex:]).all()


def test_a_split_to_come_adjusts_nothing_yet(market):
    (split,) = [one for one in truth.splits(market) if one["symbol"] == "AAPL"]
    eve = dt.datetime.fromisoformat(split["ex_date"]).replace(tzinfo=dt.UTC) - dt.timedelta(hours=1)
    rows = market.bars(dt.date(2024, 2, 5), eve)
    place = list(rows.symbol).index("AAPL")
    assert market.adjusted(rows, eve).close[place] == rows.close[place]


def test_fb_becomes_meta_and_the_earlier_meta_is_another_company(market):
    renames = [
        (one["old"], one["new"]) for one in truth.renames(market) if "META" in (one["old"], one["new"])
    ]
    assert renames == [("META", "METV"), ("FB", "META")]
    earlier = instrument_named(market, "META", "2024-01-05")
    later = instrument_named(market, "META", "2024-06-03")
    assert earlier != later
    assert later == instrument_named(market, "FB", "2024-01-05")
    assert earlier == instrument_named(market, "METV", "2024-06-03")
    assert list(dict.fromkeys(market.history(later).symbol)) == ["FB", "META"]


def test_a_chain_of_renames_and_a_name_taken_on_the_session_it_is_given_up(market):
    chain = instrument_named(market, "ANTM", "2024-01-02")
    assert list(dict.fromkeys(market.history(chain).symbol)) == ["ANTM", "ELV", "ELVH"]
    swap = [one for one in truth.renames(market) if "SWAP" in (one["old"], one["new"])]
    assert [(one["old"], one["new"]) for one in swap] == [("SWAP", "SWAQ"), ("SWPB", "SWAP")]
    assert swap[0]["date"] == swap[1]["date"]


def test_astr_is_two_companies_with_a_gap_between(market):
    lives = [one for one in truth.instruments(market) if any(n["symbol"] == "ASTR" for n in one["names"])]
    assert len(lives) == 2
    gone, new = lives
    assert gone["delisted_date"] < new["list_date"]
    assert new["delisted_date"] is None
    between = dt.date(2024, 3, 5)
    assert gone["delisted_date"] < str(between) < new["list_date"]
    assert "ASTR" not in market.bars(between).symbol


def test_no_two_instruments_carry_one_name_at_once(market):
    for session in market.sessions()[::10]:
        symbols = market.bars(session, otc=True).symbol
        assert len(set(symbols)) == len(symbols)


def test_tickers_that_differ_in_case_alone_are_two_instruments(market):
    rows = by_symbol(market.bars(dt.date(2024, 3, 5)))
    assert rows["KIMpL"] != rows["KIMPL"]


def test_a_halted_instrument_has_no_rows_meanwhile(market):
    history = market.history(instrument_named(market, "SIVB", "2024-01-05"))
    gaps = np.diff(np.searchsorted(market.schedule.dates, history.session))
    assert gaps.max() >= 15
    assert len(history) < 70


def test_the_crowd_lists_delists_and_lacks_figis(market):
    told = truth.instruments(market)
    assert 0.08 < np.mean([one["composite_figi"] is None for one in told]) < 0.35
    assert sum(one["delisted_date"] is not None for one in told) >= 4
    assert sum(one["list_date"] > str(FIRST) for one in told) >= 3
    assert any(one["otc"] for one in told)


def test_dividends_are_a_small_part_of_the_price_and_known_before_the_ex_date(market):
    dates = market.sessions()
    told = truth.dividends(market)
    assert len(told) > 100
    for one in told:
        before = market.close_on(one["instrument"], dates.index(dt.date.fromisoformat(one["ex_date"])) - 1)
        assert 0 < one["cash_amount"] <= 0.011 * before + 1e-4
        assert one["declaration_date"] < one["ex_date"] < one["pay_date"]
        assert one["factor"] == pytest.approx(1 - one["cash_amount"] / before)
    early = truth.dividends(market, dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC))
    assert 0 < len(early) < len(told)
    assert max(one["declaration_date"] for one in early) <= "2024-03-01"


def test_every_kind_of_revision_shows_before_and_after_its_publication(market):
    """A corrected bar changes, a late one appears, a withdrawn one goes: at the instant told, not before."""
    seen = set()
    for session in market.sessions()[:60]:
        for revision in market.revisions_of(session):
            if market.universe.otc[revision["instrument"]]:
                continue
            published = dt.datetime.fromisoformat(revision["published_at"])
            before = by_symbol(market.bars(session, published - dt.timedelta(seconds=1)))
            after = by_symbol(market.bars(session, published))
            symbol, kind = revision["symbol"], revision["kind"]
            seen.add(kind)
            if kind == "corrected":
                assert before[symbol] != after[symbol]
            assert (symbol in before, symbol in after) == {
                "corrected": (True, True),
                "late": (False, True),
                "withdrawn": (True, False),
            }[kind]
            final = by_symbol(market.bars(session))
            assert after.get(symbol) == final.get(symbol)
    assert seen == {"corrected", "late", "withdrawn"}


def test_without_revisions_what_is_first_served_is_final():
    market = Market(seed=3, instruments=60, first_session=FIRST, last_session=LAST, revisions=0.0)
    session = dt.date(2024, 2, 1)
    first = market.bars(session, dt.datetime(2024, 2, 1, 22, tzinfo=dt.UTC))
    assert first.as_lists() == market.bars(session).as_lists()
    assert not [one for day in market.sessions() for one in market.revisions_of(day)]


def test_no_bars_on_a_holiday_nor_before_the_close():
    market = Market(
        seed=3, instruments=40, first_session=dt.date(2024, 7, 1), last_session=dt.date(2024, 7, 12)
    )
    assert len(market.bars(dt.date(2024, 7, 4))) == 0
    early = dt.date(2024, 7, 3)  # closes at 13:00 in New York, 17:00 UTC
    assert len(market.bars(early, dt.datetime(2024, 7, 3, 16, 59, tzinfo=dt.UTC))) == 0
    assert len(market.bars(early, dt.datetime(2024, 7, 3, 17, 0, tzinfo=dt.UTC))) > 30


def test_a_span_without_a_session_is_refused():
    with pytest.raises(ValueError, match=r"2024-07-06\.\.2024-07-07"):
        Market(first_session=dt.date(2024, 7, 6), last_session=dt.date(2024, 7, 7))


@pytest.mark.parametrize(("instruments", "last"), [(1, FIRST), (5, dt.date(2024, 1, 8)), (30, FIRST)])
def test_the_smallest_markets_can_be_made(instruments, last):
    market = Market(seed=9, instruments=instruments, first_session=FIRST, last_session=last)
    assert 1 <= len(market.bars(FIRST)) <= instruments
    assert len(truth.instruments(market)) >= len(market.bars(FIRST))
