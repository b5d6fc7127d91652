"""What Python gives beside `condvest.bars`: instruments, actions, sessions, the universe, and pandas frames.

A fund carries NEW to session 9 and ends there. A company carries OLD to session 9 and NEW from session 10 to
19; T trades from session 5 on, but not at session 7. Every close is 100, 200 or 300 plus the session.
"""

import csv
import datetime as dt
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import condvest
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.identity.ownership import write_spans
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from tests.support.asked import Application
from tests.support.exchange import NOW
from tests.support.in_process import Program
from tests.support.payloads import dividend, split
from tests.support.publishing import published, quote
from tests.support.worlds.world import World

DAY = dt.timedelta(1)
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def fund_world(server, sessions, tmp_path_factory):
    """The market, loaded, resampled and published, with settings and the fund's id. Tests only read it."""
    home = tmp_path_factory.mktemp("home")
    place = home / "published"
    with server.lent() as url, Database(url) as database:
        settings = Settings(home=home, database=DatabaseSettings(url=url), published_at=str(place))
        world = World(Workspace(settings, database, NOW), sessions)
        world.settings, world.fund = settings, loaded(world)
        published(world, DirectoryTarget(place))
        yield world
        world.close()


def loaded(world):
    """Load the market and return the fund's id."""
    world.bars([quote("NEW", world.date(0), 100.0), quote("OLD", world.date(0), 200.0)])
    fund, company = world.instrument("NEW"), world.instrument("OLD")
    taken = world.date(10)
    with world.workspace.database.transaction() as connection:
        spans = {
            fund: [SymbolSpan("NEW", last=taken - DAY)],
            company: [SymbolSpan("OLD", last=taken - DAY), SymbolSpan("NEW", first=taken)],
        }
        write_spans(connection, spans, world.sessions)
    world.bars(
        [quote("NEW", world.date(at), 100.0 + at) for at in range(10)]
        + [quote("OLD", world.date(at), 200.0 + at) for at in range(10)]
        + [quote("NEW", world.date(at), 200.0 + at) for at in range(10, 20)]
        + [quote("T", world.date(at), 300.0 + at) for at in range(5, 20) if at != 7]
    )
    world.splits([split("NEW", world.date(4), 1, 2), split("T", world.date(12), 1, 3)])
    world.dividends([dividend("NEW", world.date(6), 0.5), dividend("T", world.date(15), 0.25)])
    return fund


BOTH = pytest.mark.parametrize("source", ["database", "published"])


class TestTwoInstrumentsOfOneSymbol:
    @pytest.mark.parametrize("backend", [DatabaseBackend, PublishedBackend])
    def test_the_newest_bar_of_each_is_given_over_http(self, fund_world, backend):
        """The fund's last bar of session 9 does not stand for the company's of session 19."""
        server = Application(backend(fund_world.settings))
        for names in ("", "&unique_symbols=true"):
            rows = server.get(f"/v1/bars?interval=1&adjust=none&last=1{names}").json()["rows"]
            assert sorted(row["close"] for row in rows) == [109.0, 219.0, 319.0]

    def test_the_command_line_tells_them_apart_of_the_whole_market(self, fund_world):
        settings = fund_world.settings
        program = Program(settings.database.url, settings.home)
        asked = ("bars", "--interval", "1", "--adjust", "none", "--last", "1", "--format", "csv")
        rows = csv.DictReader(io.StringIO(program.done(*asked).out))
        closes = {row["symbol"]: float(row["close"]) for row in rows}
        assert closes == {"NEW": 219.0, f"NEW#{fund_world.fund}": 109.0, "T": 319.0}

    @BOTH
    def test_bars_tell_them_apart_if_asked(self, fund_world, source):
        how = {"interval": 1, "adjust": "none", "source": source, "settings": fund_world.settings}
        table = condvest.bars(unique_symbols=True, **how)
        label = f"NEW#{fund_world.fund}"
        counts = pd.Series(table["symbol"].to_pylist()).value_counts().to_dict()
        assert counts == {"NEW": 20, label: 10, "T": 14}
        assert condvest.bars(label, **how)["close"].to_pylist() == [100.0 + at for at in range(10)]
        assert condvest.bars("NEW", **how)["close"].to_pylist() == [200.0 + at for at in range(20)]
        both = condvest.bars([label, "OLD"], **how)
        assert both["symbol"].to_pylist() == ["NEW"] * 20 + [label] * 10

    @BOTH
    def test_no_panel_splices_them(self, fund_world, source):
        closes = condvest.panel("close", None, 1, adjust="none", source=source, settings=fund_world.settings)
        label = f"NEW#{fund_world.fund}"
        assert closes.columns.tolist() == ["NEW", label, "T"]
        assert closes.columns.name == "symbol"
        assert closes["NEW"].tolist() == [200.0 + at for at in range(20)]
        assert closes[label].dropna().tolist() == [100.0 + at for at in range(10)]
        assert closes[label].isna().sum() == 10

    @BOTH
    def test_splits_and_dividends_name_whose_they_are(self, fund_world, source):
        how = {"source": source, "settings": fund_world.settings}
        label = f"NEW#{fund_world.fund}"
        rows = condvest.splits(**how).to_pylist()
        assert [(row["symbol"], row["ex_date"], row["price_factor"]) for row in rows] == [
            (label, fund_world.date(4), 0.5),
            ("T", fund_world.date(12), 1 / 3),
        ]
        assert condvest.dividends(**how).to_pydict() == {
            "symbol": [label, "T"],
            "ex_date": [fund_world.date(6), fund_world.date(15)],
            "cash_amount": [0.5, 0.25],
        }
        assert condvest.splits("NEW", **how).num_rows == 0
        assert condvest.splits(label, **how).num_rows == 1

    def test_a_label_of_another_instrument_is_an_unknown_symbol(self, fund_world):
        for wrong in (f"T#{fund_world.fund}", "NEW#999", "NEW#", "#1", "NEW#99999999999"):
            with pytest.raises(condvest.UnknownSymbol, match="carries the symbol"):
                condvest.bars(wrong, settings=fund_world.settings)

    @BOTH
    def test_every_unknown_symbol_is_named_at_once(self, fund_world, source):
        how = {"source": source, "settings": fund_world.settings}
        with pytest.raises(condvest.UnknownSymbol, match="carry the symbols X, Z; leave them out"):
            condvest.panel("close", ["X", "T", "Z"], **how)
        many = [f"X{number}" for number in range(60)]
        with pytest.raises(condvest.UnknownSymbol, match=r"X0, X1, .*, X49 and 10 others"):
            condvest.bars(["T", *many], **how)


class TestUniverse:
    @BOTH
    def test_who_was_listed_on_a_date(self, fund_world, source):
        """The fund ends at session 9, T begins at session 5."""
        label = f"NEW#{fund_world.fund}"

        def names(date):
            found = condvest.universe(date, source=source, settings=fund_world.settings)
            return found["symbol"].to_pylist()

        assert names(fund_world.date(4)) == ["NEW", label]
        assert names(fund_world.date(7)) == ["NEW", label, "T"]
        assert names(fund_world.date(9)) == ["NEW", label, "T"]
        assert names(fund_world.date(10)) == ["NEW", "T"]
        held = condvest.universe(fund_world.date(9).isoformat(), source=source, settings=fund_world.settings)
        assert held.to_pylist()[1] == {
            "symbol": label,
            "instrument_id": fund_world.fund,
            "first_session": fund_world.date(0),
            "last_session": fund_world.date(9),
        }

    def test_it_is_what_bars_can_be_asked_for(self, fund_world):
        names = condvest.universe(fund_world.date(9), settings=fund_world.settings)["symbol"]
        for given in (
            names,
            names.to_pylist(),
            names.to_pandas(),
            pd.Index(names.to_pylist()),
            np.array(names),
        ):
            closes = condvest.panel("close", given, 1, adjust="none", settings=fund_world.settings)
            assert closes.loc[pd.Timestamp(fund_world.date(9))].tolist() == [209.0, 109.0, 309.0]

    def test_a_date_without_a_session_is_that_of_the_last_one_before(self, fund_world):
        dates = [fund_world.date(at) for at in range(20)]
        friday = next(one for one in dates if one.weekday() == 4)
        assert (friday + DAY) not in dates
        how = {"settings": fund_world.settings}
        assert condvest.universe(friday + DAY, **how).equals(condvest.universe(friday, **how))

    @pytest.mark.parametrize("date", [dt.date(1900, 1, 1), dt.date(9999, 12, 31), "2000-01-03"])
    def test_a_date_of_which_nothing_is_known_is_refused(self, fund_world, date):
        with pytest.raises(condvest.UsageError, match="the daily bars reach from"):
            condvest.universe(date, settings=fund_world.settings)


class TestFrame:
    @BOTH
    def test_one_symbol_is_what_backtesters_take(self, fund_world, source):
        frame = condvest.frame("T", 1, adjust="none", source=source, settings=fund_world.settings)
        assert frame.columns.tolist() == ["Open", "High", "Low", "Close", "Volume"]
        assert set(map(str, frame.dtypes)) == {"float64"}
        assert isinstance(frame.index, pd.DatetimeIndex)
        assert (frame.index.name, frame.index.tz, frame.index.is_monotonic_increasing) == (
            "last_session",
            None,
            True,
        )
        dates = [fund_world.date(at) for at in range(5, 20) if at != 7]
        assert frame.index.tolist() == [pd.Timestamp(date) for date in dates]
        assert frame["Close"].tolist() == [300.0 + at for at in range(5, 20) if at != 7]
        assert frame["High"].tolist() == [301.0 + at for at in range(5, 20) if at != 7]

    def test_its_dates_are_in_the_unit_of_dates_that_pandas_reads(self, fund_world):
        """Or `merge_asof` refuses them."""
        frame = condvest.frame("T", 1, settings=fund_world.settings)
        events = pd.DataFrame({"date": pd.to_datetime([fund_world.date(8).isoformat()]), "event": [1]})
        merged = pd.merge_asof(frame.reset_index(), events, left_on="last_session", right_on="date")
        assert merged["event"].count() == 12

    def test_several_symbols_are_a_level(self, fund_world):
        frame = condvest.frame(settings=fund_world.settings, interval=1, adjust="none")
        assert frame.index.names == ["symbol", "last_session"]
        assert frame.index.is_unique
        assert frame.index.is_monotonic_increasing
        one = condvest.frame("T", settings=fund_world.settings, interval=1, adjust="none")
        pd.testing.assert_frame_equal(frame.loc["T"], one)
        pd.testing.assert_frame_equal(
            condvest.frame(["T"], settings=fund_world.settings, interval=1, adjust="none").loc["T"], one
        )

    @pytest.mark.parametrize("symbols", ["T", ["T"], None, []])
    def test_no_bars_are_an_empty_frame_of_the_same_types(self, fund_world, symbols):
        how = {"interval": 1, "end": "1930-12-31", "settings": fund_world.settings}
        frame, panel = condvest.frame(symbols, **how), condvest.panel("close", symbols, **how)
        assert (len(frame), set(map(str, frame.dtypes))) == (0, {"float64"})
        assert panel.shape == (0, 0)
        for index in (frame.index.get_level_values("last_session"), panel.index):
            assert isinstance(index, pd.DatetimeIndex)

    def test_what_is_unknown_is_nan(self, fund_world):
        trades = condvest.panel("trades", "T", 1, settings=fund_world.settings)
        table = condvest.bars("T", 1, settings=fund_world.settings)
        assert trades.dtypes.tolist() == [np.float64]
        assert trades["T"].isna().tolist() == [one is None for one in table["trades"].to_pylist()]

    def test_a_panel_of_no_field_is_refused(self, fund_world):
        with pytest.raises(condvest.UsageError, match="choose one of open, high"):
            condvest.panel("Close", settings=fund_world.settings)


class TestArguments:
    @pytest.mark.parametrize(
        "given",
        [dt.date(1962, 1, 10), "1962-01-10", dt.datetime(1962, 1, 10), pd.Timestamp("1962-01-10"),  # noqa: DTZ001
         np.datetime64("1962-01-10"), np.datetime64("1962-01-10", "ns")],
    )  # fmt: skip
    def test_a_date_in_any_form(self, fund_world, given):
        how = {"settings": fund_world.settings}
        table = condvest.sessions(given, given, **how)
        assert table["session"].to_pylist() == [dt.date(1962, 1, 10)]
        assert condvest.bars("T", 1, given, **how)["last_session"][0].as_py() == dt.date(1962, 1, 10)

    @pytest.mark.parametrize(
        "given",
        ["2012", "20120103", "2012-W01-2", "yesterday", "", 2012, 2012.0, True, dt.datetime(2012, 1, 3, 16),  # noqa: DTZ001
         pd.Timestamp("2012-01-03", tz="UTC"), pd.NaT, np.datetime64("NaT")],
    )  # fmt: skip
    def test_what_is_no_date_is_refused(self, fund_world, given):
        for ask in (condvest.bars, condvest.splits, condvest.dividends, condvest.sessions):
            with pytest.raises(condvest.UsageError, match=r"start .*expected a date such as"):
                ask(start=given, settings=fund_world.settings)
        with pytest.raises(condvest.UsageError, match=r"date .*expected a date such as"):
            condvest.universe(given, settings=fund_world.settings)

    @pytest.mark.parametrize("interval", ["1d", "13", 13.0, None, True, 0, 253])
    def test_an_interval_is_a_number_of_sessions(self, fund_world, interval):
        with pytest.raises(condvest.UsageError, match="interval"):
            condvest.bars("T", interval, settings=fund_world.settings)

    def test_an_interval_of_numpy(self, fund_world):
        how = {"settings": fund_world.settings}
        assert condvest.bars("T", np.int64(5), **how).equals(condvest.bars("T", 5, **how))

    @pytest.mark.parametrize("symbols", [["T", None], [float("nan")], [1], 7])
    def test_a_symbol_that_is_no_text_is_refused(self, fund_world, symbols):
        with pytest.raises(condvest.UsageError, match="symbols: expected texts"):
            condvest.bars(symbols, settings=fund_world.settings)

    @pytest.mark.parametrize("as_of", [LATER, "2100-01-01T00:00:00Z", "2100-01-01", dt.date(2100, 1, 1)])
    def test_an_instant_in_any_form(self, fund_world, as_of):
        how = {"settings": fund_world.settings}
        now = condvest.splits(**how)
        assert condvest.splits(as_of=as_of, **how).equals(now)
        assert condvest.splits(as_of="1990-01-01", **how).num_rows == 0
        assert condvest.bars("T", 3, as_of=as_of, **how).equals(condvest.bars("T", 3, **how))
        assert condvest.instruments(as_of=as_of, **how).equals(condvest.instruments(**how))

    @pytest.mark.parametrize("as_of", ["yesterday", dt.datetime(2020, 1, 1), 7])  # noqa: DTZ001
    def test_what_is_no_instant_is_refused(self, fund_world, as_of):
        for ask in (condvest.bars, condvest.splits, condvest.instruments):
            with pytest.raises(condvest.UsageError, match="as_of"):
                ask(as_of=as_of, settings=fund_world.settings)


class TestSources:
    def test_sessions_are_the_exchanges_from_each_source(self, fund_world):
        how = {"start": "2021-11-24", "end": "2021-11-29", "settings": fund_world.settings}
        table = condvest.sessions(**how)
        assert table["session"].to_pylist() == [dt.date(2021, 11, day) for day in (24, 26, 29)]
        assert table["early_close"].to_pylist() == [False, True, False]
        assert condvest.sessions(source="published", **how).equals(table)

    def test_what_is_published_lists_the_same_instruments(self, fund_world):
        stored, published = (
            condvest.instruments(source=source, settings=fund_world.settings)
            for source in ("database", "published")
        )
        assert stored.equals(published)
        assert len(stored)

    def test_what_is_published_knows_the_past_too(self, fund_world):
        both = [{"source": source, "settings": fund_world.settings} for source in ("database", "published")]
        for ask in (condvest.splits, condvest.dividends, condvest.bars):
            stored, published = (ask(as_of=LATER, **how) for how in both)
            assert stored.equals(published)
            assert len(stored)
        stored, published = (condvest.universe(fund_world.date(3), as_of=LATER, **how) for how in both)
        assert stored.equals(published)

    def test_no_symbols_are_no_rows(self, fund_world):
        for source in ("database", "published", "http://127.0.0.1:1"):
            how = {"source": source, "settings": fund_world.settings}
            assert condvest.splits([], **how).num_rows == 0
            assert condvest.dividends(pa.array([], pa.string()), **how).num_rows == 0
            assert condvest.frame([], **how).shape == (0, 5)

    def test_an_unknown_source_is_refused(self, fund_world):
        for ask in (condvest.splits, condvest.sessions, condvest.instruments, condvest.frame):
            with pytest.raises(condvest.UsageError, match="choose database, published or http"):
                ask(source="ftp://x", settings=fund_world.settings)

    def test_inside_connected_the_connection_is_shared(self, fund_world):
        with condvest.connected(fund_world.settings):
            found = condvest.instruments(settings=fund_world.settings)
            assert found["symbol"].to_pylist() == ["NEW", "NEW", "T"]
            assert condvest.splits("T", settings=fund_world.settings).num_rows == 1
