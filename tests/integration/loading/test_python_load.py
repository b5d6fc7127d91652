"""Tables from Python are loaded as files are, symbols may be skipped, and Python tells the status."""

import datetime as dt
import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import condvest
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.payloads import bar

CLOSES = [100.0, 101.5, 99.25]
DATES = [dt.date(2024, 5, 28), dt.date(2024, 5, 29), dt.date(2024, 5, 30)]


@pytest.fixture
def how(url, tmp_path):
    return {"settings": Settings(home=tmp_path, database=DatabaseSettings(url=url))}


def columns(symbol="A"):
    prices = dict.fromkeys(("open", "high", "low", "close"), CLOSES)
    return {"symbol": [symbol] * 3, "session": DATES, **prices, "volume": [10.0, 20.0, 30.0]}


def yfinance_like():
    """As yfinance gives it: capitals, the exchange's midnights as an index, no symbol."""
    frame = pd.DataFrame({name.capitalize(): CLOSES for name in ("open", "high", "low", "close")})
    frame["Volume"] = [10, 20, 30]
    frame.index = pd.DatetimeIndex(DATES, name="Date").tz_localize("America/New_York")
    return frame


FORMS = {
    "arrow": lambda: pa.table(columns()),
    "batch": lambda: pa.RecordBatch.from_pydict(columns()),
    "polars": lambda: pl.DataFrame(columns()),
    "pandas": lambda: pd.DataFrame(columns()),
    "index of dates": lambda: yfinance_like().assign(symbol="A"),
    "index of both": lambda: pd.DataFrame(columns()).set_index(["symbol", "session"]),
    "index without names": lambda: (
        pd.DataFrame(columns()).set_index(["symbol", "session"]).rename_axis(index=[None, None])
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_in_any_form_is_loaded(how, form):
    report = condvest.load(FORMS[form](), **how)
    assert (report["inserted"], report["refused"]) == (3, {})
    table = condvest.bars("A", 1, **how)
    assert table["close"].to_pylist() == CLOSES
    assert table["last_session"].to_pylist() == DATES
    again = condvest.load(FORMS[form](), **how)
    assert (again["inserted"], again["changed"], again["unchanged"]) == (0, 0, 3)


def test_a_frame_without_a_symbol_is_of_the_one_that_is_named(how):
    with pytest.raises(condvest.errors.InputError, match="no column symbol or ticker"):
        condvest.load(yfinance_like(), **how)
    assert condvest.load(yfinance_like(), symbol="GOOG", **how)["inserted"] == 3
    assert condvest.frame("GOOG", 1, **how)["Close"].tolist() == CLOSES


def test_what_condvest_gives_goes_back_in(how):
    condvest.load(pa.table(columns()), **how)
    bars = condvest.bars(interval=1, adjust="none", **how)
    frame = condvest.frame(interval=1, adjust="none", **how)
    assert condvest.load(bars, provider="again", **how)["unchanged"] == 3
    assert condvest.load(frame, provider="more", **how)["unchanged"] == 3
    with pytest.raises(condvest.UsageError, match="bars of several sessions"):
        condvest.load(condvest.bars(interval=3, include_open=True, **how), **how)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"interval": 3, "include_open": True}, "got Condvest's own of 3 sessions; pass those of interval=1"),
        (
            {"interval": 1, "adjust": "total"},
            "got Condvest's own with adjust='total'; pass those of adjust=\"none\"",
        ),
        ({"interval": 1}, "with adjust='splits'"),
    ],
)
def test_a_frame_of_other_bars_or_prices_is_not_taken_for_daily_bars_as_traded(how, asked, said):
    """Its columns do not show what it is; what pandas has done to it since does not matter."""
    condvest.load(pa.table(columns()), **how)
    frame = condvest.frame(["A"], **asked, **how).dropna().sort_index()
    with pytest.raises(condvest.UsageError, match=said):
        condvest.load(frame, **how)
    if asked["interval"] == 1:
        with pytest.raises(condvest.UsageError, match=said):
            condvest.load(condvest.bars(["A"], **asked, **how), **how)
    if asked == {"interval": 1}:
        assert condvest.load(frame, prices="as-traded", **how)["unchanged"] == 3


@pytest.mark.parametrize("order", [("Price", "Ticker"), ("Ticker", "Price")])
def test_symbols_side_by_side_are_loaded(how, order):
    """As yfinance.download gives them, and its file as pandas reads it; MSFT has no row on the first day."""
    days = pd.DatetimeIndex(["2024-06-03", "2024-06-04"], name="Date")
    values = {
        (field, symbol): [float(price), float(price) + 1]
        for symbol, price in (("IBM", 165), ("MSFT", 413))
        for field in ("Close", "High", "Low", "Open", "Volume")
    }
    wide = pd.DataFrame(values, index=days).rename_axis(columns=["Price", "Ticker"])
    wide.loc["2024-06-03", (slice(None), "MSFT")] = float("nan")
    text = wide.reorder_levels(order, axis=1).to_csv()
    read = pd.read_csv(io.StringIO(text), header=[0, 1], index_col=0, parse_dates=True)
    for frame in (wide.reorder_levels(order, axis=1), read):
        report = condvest.load(frame, **how)
        assert (report["rows"], report["refused"]) == (3, {})
    closes = condvest.bars(interval=1, **how).select(["symbol", "close"]).to_pylist()
    assert [tuple(row.values()) for row in closes] == [("IBM", 165.0), ("IBM", 166.0), ("MSFT", 414.0)]
    with pytest.raises(UsageError, match="a level of the columns with the fields"):
        condvest.load(wide.rename(columns=str.upper, level=1).rename(columns={"Close": "Last"}), **how)


def test_rows_that_break_a_rule_are_refused_and_the_others_loaded(how):
    wrong = columns() | {"low": [100.0, 200.0, 99.25]}
    report = condvest.load(pa.table(wrong), **how)
    assert (report["inserted"], report["refused"]) == (2, {"high_below_low": 1})


def test_actions_come_with_the_bars_and_split_adjusted_prices_are_led_back(how):
    splits = pa.table({"symbol": ["A"], "ex_date": [DATES[1]], "split_from": [1.0], "split_to": [2.0]})
    paid = pd.DataFrame({"symbol": ["A"], "ex_date": [DATES[2]], "cash_amount": [0.5]})
    report = condvest.load(pa.table(columns()), splits=splits, dividends=paid, prices="split-adjusted", **how)
    assert report["inserted"] == 3
    assert condvest.bars("A", 1, adjust="none", **how)["close"].to_pylist() == [200.0, 101.5, 99.25]
    assert condvest.bars("A", 1, **how)["close"].to_pylist() == CLOSES
    assert condvest.dividends("A", **how)["cash_amount"].to_pylist() == [0.5]


def test_what_the_prices_make_look_wrong_is_told_as_for_files(how):
    """A split in the middle of prices that go on as before: they were adjusted already."""
    days = condvest.sessions("2024-03-01", "2024-05-31", **how)["session"].to_pylist()
    closes = [50.0 + at % 7 / 10 for at in range(len(days))]
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    bars = pa.table({"symbol": ["A"] * len(days), "session": days, **prices, "volume": [10.0] * len(days)})
    splits = pa.table({"symbol": ["A"], "ex_date": [days[30]], "split_from": [1.0], "split_to": [2.0]})
    told = condvest.load(bars, splits=splits, **how)["findings"]
    assert [finding.split(": ")[:2] for finding in told] == [[f"A {days[30]}", "split_denied"]]
    assert condvest.load(bars, **how)["findings"] == [], "it has been told"


def test_a_dry_run_stores_nothing(how, tmp_path):
    assert condvest.load(pa.table(columns()), dry_run=True, **how)["inserted"] == 3
    assert condvest.status(**how)["daily_bars"] == 0
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (None, {}, "nothing to load: pass bars, splits or dividends"),
        ([1, 2], {}, "daily_bars: expected a pandas DataFrame or an Arrow table, got list"),
        (pa.table(columns()), {"provider": "yahoo"}, "'yahoo' is Condvest's own"),
        (pa.table(columns()), {"provider": "a/b"}, "cannot be a provider's name"),
    ],
)
def test_what_cannot_be_loaded_is_refused(how, given, options, said):
    with pytest.raises(condvest.UsageError, match=said):
        condvest.load(given, **options, **how)


def test_a_load_is_recorded_archived_and_told_by_the_status(how, tmp_path):
    condvest.load(pa.table(columns()), name="research", **how)
    state = condvest.status(now=dt.datetime(2024, 6, 4, 23, tzinfo=dt.UTC), **how)
    assert (state["daily_bars"], state["closed"], state["changes_waiting"]) == (3, "2024-06-04", 0)
    assert [(each["provider"], each["behind"]) for each in state["providers"]] == [("file", 3)]
    assert (state["last_run"]["command"], state["last_run"]["exit_code"]) == ("import", 0)
    assert len(list((tmp_path / "archive").rglob("*.parquet"))) == 1
    with pytest.raises(condvest.UsageError, match="needs a time zone"):
        condvest.status(now=dt.datetime(2024, 6, 4), **how)  # noqa: DTZ001


def test_acceptance_5_one_unknown_symbol_of_many_may_be_skipped(how):
    condvest.load(pa.table(columns()), **how)
    for ask in (condvest.bars, condvest.splits, condvest.dividends):
        with pytest.raises(condvest.errors.UnknownSymbol) as refused:
            ask(["A", "NOPE", "X"], **how)
        assert refused.value.symbols == ("NOPE", "X")
    assert condvest.bars(["A", "NOPE"], 1, missing="skip", **how).equals(condvest.bars("A", 1, **how))
    assert len(condvest.bars("NOPE", 1, missing="skip", **how)) == 0
    assert condvest.panel("close", ["A", "NOPE"], 1, missing="skip", **how).columns.tolist() == ["A"]
    assert condvest.frame("NOPE", 1, missing="skip", **how).empty
    assert condvest.splits(["NOPE"], missing="skip", **how).num_rows == 0
    with pytest.raises(condvest.UsageError, match="missing 'drop': choose one of raise, skip"):
        condvest.bars("A", missing="drop", **how)


def test_every_error_is_exported():
    assert issubclass(condvest.errors.UnknownSymbol, condvest.errors.CondvestError)
    assert condvest.errors.UnknownSymbol is condvest.UnknownSymbol
    from condvest.batch_layer.shared import errors  # noqa: PLC0415

    raised = {name for name, kind in vars(errors).items() if isinstance(kind, type)} - {
        "Terminated",
        "Sequence",
    }
    assert set(condvest.errors.__all__) == raised


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of the library's own
def test_acceptance_5_backtesting_takes_a_frame_as_it_is(how):
    rows = [bar("A", session, low=9.0, high=12.0, open=10.0, close=11.0, volume=5, vwap=None, trades=None)
            for session in pd.bdate_range("2024-01-02", "2024-04-30").date]  # fmt: skip
    condvest.load(pd.DataFrame(rows), **how)  # holidays among them are refused
    frame = condvest.frame("A", 1, **how)
    import backtesting  # noqa: PLC0415  # it warns when it is imported

    class Hold(backtesting.Strategy):
        def init(self):
            self.mean = self.I(lambda closes: pd.Series(closes).rolling(3).mean(), self.data.Close)

        def next(self):
            if not self.position:
                self.buy()

    stats = backtesting.Backtest(frame, Hold, cash=10_000, finalize_trades=True).run()
    assert stats["# Trades"] == 1
    assert np.isfinite(stats["Equity Final [$]"])
