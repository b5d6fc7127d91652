"""A symbol that Yahoo no longer has spoils no night (acceptance 7), and a person may change the list."""

import datetime as dt

import pytest

from condvest.batch_layer.operations import nightly, watch
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import Settings
from tests.integration.vendors.test_ingest_yahoo import AtYahoo, stored
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.yahoo import YahooEmulator
from tests.support.payloads import payload
from tests.support.worlds.vendor_truth import after_close

D = dt.date
LAST = D(2024, 3, 28)
SYMBOLS = ("KIM", "MSFT", "TR")


@pytest.fixture(scope="module")
def market():
    return Market(21, 40, D(2024, 2, 1), LAST, revisions=0)


@pytest.fixture
def at(database, tmp_path, market):
    """Return a workspace at an instant; what Yahoo has forgotten by then is in ``at.gone``."""
    with YahooEmulator(market) as emulator:

        def workspace(now):
            emulator.knobs.update({"now": now})
            return AtYahoo(Settings(home=tmp_path), database, now, emulator=emulator)

        yield workspace


def night(workspace, *symbols):
    return nightly.run(workspace, "yahoo", symbols, on_wait=pytest.fail)


def states(workspace):
    return {each.symbol: (each.state, each.next_ask) for each in watch.listed(workspace, "yahoo")}


def test_acceptance_7_a_delisted_symbol_is_set_aside_and_comes_back(at, database, market, monkeypatch):
    sessions = market.sessions()
    first, *nights = map(after_close, sessions[-12:])
    assert night(at(first), *SYMBOLS).exit_code == 0
    forgotten = forget(monkeypatch, "TR")
    done = night(at(nights[0]))
    assert (done.exit_code, done.failed) == (0, {})
    assert done.notes[0].startswith("TR: Yahoo has no symbol TR")
    assert "it is set aside and asked about again on" in done.notes[0]
    tomorrow = nights[0].date() + dt.timedelta(1)
    assert states(at(nights[0])) == {
        "KIM": ("watched", None),
        "MSFT": ("watched", None),
        "TR": ("set_aside", tomorrow),
    }
    # The night after it is asked about, and refused, again; until two days later nobody asks.
    assert len(night(at(nights[1])).notes) == 1
    asked = forgotten.asked
    again = states(at(nights[1]))["TR"][1]
    later = next(now for now in nights[2:] if now.date() >= again)
    for now in nights[2 : nights.index(later)]:
        assert night(at(now)).notes == []
    assert forgotten.asked == asked
    monkeypatch.undo()
    done = night(at(later))
    assert (done.exit_code, done.notes) == (0, [])
    assert states(at(later))["TR"] == ("watched", None)
    there = {row[0] for row in stored(database, "TR")}
    assert {session for session in sessions if session <= later.date()} <= there


def test_a_former_symbol_that_was_set_aside_is_not_asked_about_again(at, market, monkeypatch):
    """TR became TRX: what Yahoo says of TR from then on is of another company."""
    first, second, *later = map(after_close, market.sessions()[-12:])
    night(at(first), *SYMBOLS)
    forgotten = forget(monkeypatch, "TR")
    night(at(second))
    asked = forgotten.asked
    statement = payload("renames", f"from,to,date\nTR,TRX,{second.date()}".encode())
    at(second).loader(at(second).extended_sessions()).load(statement)
    for now in later[:4]:
        assert not [note for note in night(at(now)).notes if note.startswith("TR:")]
    assert forgotten.asked == asked
    assert states(at(later[4]))["TRX"][0] == "set_aside"  # which this Yahoo does not know


def forget(monkeypatch, symbol):
    """Let Yahoo's client be told that there is no such symbol."""
    from condvest.batch_layer.shared.clients.yahoo.client import YahooClient  # noqa: PLC0415
    from condvest.batch_layer.shared.errors import SymbolGone  # noqa: PLC0415

    real = YahooClient.chart

    class Forgotten:
        asked = 0

    def chart(client, asked, first, last):
        if asked != symbol:
            return real(client, asked, first, last)
        Forgotten.asked += 1
        raise SymbolGone(f"{symbol}: Yahoo has no symbol {symbol} (No data found, symbol may be delisted)")

    monkeypatch.setattr(YahooClient, "chart", chart)
    return Forgotten


def test_a_symbol_that_was_never_there_fails_the_night_that_names_it(at, market):
    done = night(at(after_close(market.sessions()[-5])), "KIM", "NOPE")
    assert (done.exit_code, list(done.failed), done.notes) == (1, ["NOPE"], [])


def test_a_person_adds_and_leaves_out(at, database, market):
    first, second, third = map(after_close, market.sessions()[-3:])
    with pytest.raises(UsageError, match="condvest watch add AAPL MSFT"):
        night(at(first))
    assert watch.add(at(first), "yahoo", ["kim".upper(), "BRK-B"]) == ["KIM", "BRK.B"]
    assert night(at(first)).exit_code == 0
    assert {len(stored(database, symbol)) for symbol in ("KIM", "BRK.B")} == {len(market.sessions()) - 2}
    watch.leave_out(at(second), "yahoo", ["BRK.B"])
    assert watch.listed(at(second), "yahoo")[0].state == "left_out"
    night(at(second))
    assert (len(stored(database, "KIM")), len(stored(database, "BRK.B"))) == (
        len(market.sessions()) - 1,
        len(market.sessions()) - 2,
    )
    watch.add(at(third), "yahoo", ["BRK.B"])
    night(at(third))
    assert {len(stored(database, symbol)) for symbol in ("KIM", "BRK.B")} == {len(market.sessions())}
    with pytest.raises(UsageError, match="yahoo is not asked about XYZ; condvest watch list shows"):
        watch.leave_out(at(third), "yahoo", ["XYZ"])
    with pytest.raises(UsageError, match="massive gives whole sessions"):
        watch.listed(at(third), "massive")
