"""What reports on the data: under labels too, and counted before it is read.

A fund carried NEW to session 9; a company carried OLD until then, and NEW from session 10 on.
"""

import datetime as dt

import pytest

from condvest.batch_layer.database.stores.identity.ownership import write_spans
from condvest.batch_layer.shared.errors import UnknownName, UnknownSymbol
from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan
from condvest.serving_layer.queries.bars.size import TooLarge
from condvest.serving_layer.queries.history import published_history, read_history
from condvest.serving_layer.queries.reports.gaps import published_gaps, read_gaps
from condvest.serving_layer.queries.reports.quality import flag_bars
from condvest.serving_layer.queries.reports.refused import read_refused
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.payloads import bar
from tests.support.publishing import published


@pytest.fixture
def renamed(world):
    day = dt.timedelta(1)
    for at in (0, 2, 3, 8):
        world.bars([bar("NEW", world.date(at)), bar("OLD", world.date(at))])
    fund, company = world.instrument("NEW"), world.instrument("OLD")
    taken = world.date(10)
    with world.workspace.database.transaction() as connection:
        spans = {
            fund: [SymbolSpan("NEW", last=taken - day)],
            company: [SymbolSpan("OLD", last=taken - day), SymbolSpan("NEW", first=taken)],
        }
        write_spans(connection, spans, world.sessions)
    world.bars([bar("NEW", world.date(11), version=1)])
    world.resample()
    world.fund, world.company = fund, company
    return world


@pytest.fixture
def source(renamed, target):
    published(renamed, target)
    return PublishedSource.open(target)


def test_a_label_stands_for_the_earlier_company_in_every_report(renamed, source):
    opened, label = renamed.workspace, f"NEW#{renamed.fund}"
    days = {"NEW": (0, 2, 3, 8, 11), label: (0, 2, 3, 8)}
    lacking = {"NEW": (1, 4, 5, 6, 7, 9, 10), label: (1, 4, 5, 6, 7)}
    for symbol, known in days.items():
        history = read_history(opened, symbol, None)
        assert history["session"].to_pylist() == [renamed.date(at) for at in known]
        assert published_history(source, symbol, None).equals(history)
        gaps = read_gaps(opened, [symbol])
        assert gaps.to_pylist() == [{"symbol": symbol, "session": renamed.date(at)} for at in lacking[symbol]]
        assert published_gaps(source, [symbol]).equals(gaps)
        assert set(flag_bars(opened, [symbol])["symbol"].to_pylist()) <= {symbol}
    both = read_gaps(opened, list(days))
    assert set(both["symbol"].to_pylist()) == set(days)
    for other in (f"OLD#{renamed.fund}", f"NEW#{renamed.fund + 100}", "NEW#"):
        with pytest.raises(UnknownSymbol):
            read_history(opened, other, None)


def test_gaps_are_counted_before_they_are_told(renamed, source):
    count = len(read_gaps(renamed.workspace, []))
    assert count == 12
    assert len(read_gaps(renamed.workspace, [], count)) == len(published_gaps(source, [], count)) == count
    for ask in (
        lambda: read_gaps(renamed.workspace, [], count - 1),
        lambda: published_gaps(source, [], count - 1),
    ):
        with pytest.raises(TooLarge, match=rf"lack {count} sessions.*symbols=A,B"):
            ask()


def test_daily_bars_are_counted_before_they_are_judged(renamed):
    """Of the fund there may be 9, from the first to the last, of the company 12."""
    assert flag_bars(renamed.workspace, [], most=21).equals(flag_bars(renamed.workspace, []))
    with pytest.raises(TooLarge, match=r"up to 21 daily bars.*symbols=A,B"):
        flag_bars(renamed.workspace, [], most=20)
    assert flag_bars(renamed.workspace, [f"NEW#{renamed.fund}"], most=9) is not None


def test_refused_rows_are_counted_before_they_are_read(world):
    bad = {"high": -1.0}
    world.bars([bar("A", world.date(0)), bar("B", world.date(0)) | bad])
    world.bars([bar("A", world.date(1)) | bad, bar("B", world.date(1)) | bad])
    loads = [load for (load,) in world.ask("SELECT DISTINCT load_id FROM refused_rows ORDER BY 1")]
    with world.workspace.database.transaction(read_only=True) as connection:
        whole = read_refused(connection, None, 1 << 20)
        assert whole["symbol"].to_pylist() == ["B", "A", "B"]
        assert read_refused(connection, loads[1], 1 << 20)["symbol"].to_pylist() == ["A", "B"]
        with pytest.raises(UnknownName, match=rf"no load 2147483647; the last is {loads[1]}"):
            read_refused(connection, 2**31 - 1, 1 << 20)
        with pytest.raises(TooLarge, match=rf"3 rows were refused.*load_id={loads[1]} is the last"):
            read_refused(connection, None, 500)
