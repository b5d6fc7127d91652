"""The emulated Massive answers bars and status in the shape that the vendor documents, within its plans."""

import datetime as dt

import numpy as np
import pytest

from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.massive.aggregates import JUNK
from tests.support.emulators.probe import NOW, ask, get, pages
from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market

GROUPED = "/v2/aggs/grouped/locale/us/market/stocks/"


class Clock:
    """Seconds that pass only when told."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.mark.parametrize("session", [dt.date(2024, 3, 5), dt.date(2024, 6, 28), dt.date(2023, 12, 1)])
def test_a_grouped_answer_holds_the_truth_of_its_session(massive, small_market, session):
    massive.knobs.update({"dirt": False})
    answer = get(massive, f"{GROUPED}{session}?adjusted=false").json()
    rows = small_market.bars(session, NOW)
    assert set(answer) == {"adjusted", "queryCount", "resultsCount", "status", "request_id", "results"}
    assert (answer["adjusted"], answer["status"]) == (False, "OK")
    assert answer["queryCount"] == answer["resultsCount"] == len(answer["results"]) == len(rows)
    told = {row["T"]: row for row in answer["results"]}
    for place in range(len(rows)):
        row = told[rows.symbol[place]]
        assert set(row) - {"vw", "n"} == {"T", "o", "h", "l", "c", "v", "t"}
        assert [row[key] for key in "ohlcv"] == [
            getattr(rows, name)[place] for name in ("open", "high", "low", "close", "volume")
        ]
        assert row.get("n", -1) == rows.trades[place]
        assert row.get("vw", None) == (None if np.isnan(rows.vwap[place]) else rows.vwap[place])


def test_time_stamps_are_the_vendors_of_both_kinds():
    """The literal stamps of the vendor's own examples: grouped at the END, range at the START."""
    market = Market(
        seed=1, instruments=30, first_session=dt.date(2020, 1, 2), last_session=dt.date(2020, 11, 27)
    )
    with MassiveEmulator(market, now=NOW) as massive:
        grouped = get(massive, f"{GROUPED}2020-10-14").json()
        assert {row["t"] for row in grouped["results"]} == {1602705600000}
        ranged = get(massive, "/v2/aggs/ticker/AAPL/range/1/day/2020-01-02/2020-01-02").json()
        assert [row["t"] for row in ranged["results"]] == [1577941200000]
        early_close = get(massive, f"{GROUPED}2020-11-27").json()
        assert {row["t"] for row in early_close["results"]} == {1606510800000}  # 21:00 UTC, 16:00 EST


@pytest.mark.parametrize("date", ["2024-06-19", "2024-06-22", "2024-03-29", "2031-01-02"])
def test_a_date_without_a_session_is_ok_and_empty(massive, date):
    answer = get(massive, GROUPED + date)
    assert answer.status == 200
    assert "results" not in answer.json()
    assert answer.json()["resultsCount"] == 0
    assert answer.json()["status"] == "OK"


def test_adjusted_is_the_default_and_means_splits_alone_as_of_now(massive, small_market):
    (split,) = [one for one in truth.splits(small_market) if one["symbol"] == "AAPL"]
    session = next(day for day in small_market.sessions() if str(day) > "2024-02-01")
    assert str(session) < split["ex_date"]
    default = {row["T"]: row for row in get(massive, f"{GROUPED}{session}").json()["results"]}
    raw = {row["T"]: row for row in get(massive, f"{GROUPED}{session}?adjusted=false").json()["results"]}
    assert default["AAPL"]["c"] == pytest.approx(raw["AAPL"]["c"] / 4, abs=1e-4)
    assert default["AAPL"]["v"] == pytest.approx(raw["AAPL"]["v"] * 4)
    assert default["KIM"] == raw["KIM"]


def test_otc_rows_come_only_when_asked_for_and_say_so(massive):
    without = get(massive, f"{GROUPED}2024-03-05").json()["results"]
    with_otc = get(massive, f"{GROUPED}2024-03-05?include_otc=true").json()["results"]
    assert not any("otc" in row for row in without)
    marked = [row for row in with_otc if "otc" in row]
    assert marked
    assert all(row["otc"] is True for row in marked)
    assert len(with_otc) == len(without) + len(marked)


def test_some_sessions_hold_a_row_twice_or_binary_junk(massive, small_market):
    twice, junk = 0, 0
    for session in small_market.sessions()[:30]:
        tickers = [row["T"] for row in get(massive, f"{GROUPED}{session}").json()["results"]]
        junk += len(set(JUNK) & set(tickers))
        twice += len(tickers) - len(set(tickers))
    assert (twice, junk) == (3, 6)  # sessions 4, 15 and 26; sessions 6 and 19


def test_a_session_cut_short_stays_so_until_the_vendor_mends_it(massive):
    massive.knobs.update({"dirt": False})
    whole = get(massive, f"{GROUPED}2024-03-05").json()["resultsCount"]
    massive.knobs.update({"cut_short": {"2024-03-05": 0.4}})
    short = get(massive, f"{GROUPED}2024-03-05").json()
    assert short["resultsCount"] == len(short["results"]) == int(whole * 0.4)
    massive.knobs.update({"cut_short": {}})
    assert get(massive, f"{GROUPED}2024-03-05").json()["resultsCount"] == whole


def test_corrections_reach_the_answer_when_they_are_published(massive, small_market):
    session = next(
        day
        for day in small_market.sessions()
        if any(one["kind"] == "corrected" for one in small_market.revisions_of(day))
    )
    revision = next(one for one in small_market.revisions_of(session) if one["kind"] == "corrected")
    published = dt.datetime.fromisoformat(revision["published_at"])
    closes = []
    for now in (published - dt.timedelta(minutes=1), published):
        massive.knobs.update({"now": now})
        rows = get(massive, f"{GROUPED}{session}?adjusted=false").json()["results"]
        closes.append(next((row["c"], row["v"]) for row in rows if row["T"] == revision["symbol"]))
    assert closes[0] != closes[1]


def test_the_running_session_is_served_unfinished_on_a_paid_plan(massive):
    """At 15:00 in New York the bars of the day are there, but are not yet the final ones."""
    massive.knobs.update({"dirt": False, "now": dt.datetime(2024, 6, 28, 19, 0, tzinfo=dt.UTC)})
    running = get(massive, f"{GROUPED}2024-06-28?adjusted=false").json()["results"]
    massive.knobs.update({"now": NOW})
    final = get(massive, f"{GROUPED}2024-06-28?adjusted=false").json()["results"]
    volume = {row["T"]: row["v"] for row in final}
    assert len(running) > 100
    assert sum(row["v"] < volume.get(row["T"], 0) for row in running) > 100


def test_a_range_is_paged_and_complete(massive, small_market):
    target = "/v2/aggs/ticker/KIM/range/1/day/2023-12-01/2024-06-28?adjusted=false&limit=50"
    results, sizes = pages(massive, target)
    history = small_market.history(8, NOW)
    assert history.symbol[0] == "KIM"
    assert sizes[:2] == [50, 50]
    assert [row["c"] for row in results] == history.close.tolist()
    assert [row["t"] for row in results] == sorted(row["t"] for row in results)
    newest_first, _ = pages(massive, target + "&sort=desc")
    assert newest_first == results[::-1]


def test_a_range_does_not_stitch_renames(massive, small_market):
    """Asked for META, the vendor gives two companies, with nothing in between."""
    answer = get(massive, "/v2/aggs/ticker/META/range/1/day/2023-12-01/2024-06-28?adjusted=false").json()
    renames = {one["old"]: one["date"] for one in truth.renames(small_market)}
    dates = [
        dt.datetime.fromtimestamp(row["t"] / 1000, dt.UTC).date().isoformat() for row in answer["results"]
    ]
    assert dates[0] == "2023-12-01"
    assert not [day for day in dates if renames["META"] <= day < renames["FB"]]
    assert dates[-1] == "2024-06-28"
    assert max(row["c"] for row in answer["results"]) > 4 * min(row["c"] for row in answer["results"])


def test_tickers_are_case_sensitive(massive):
    lower = get(massive, "/v1/open-close/KIMpL/2024-03-05").json()
    upper = get(massive, "/v1/open-close/KIMPL/2024-03-05").json()
    assert (lower["symbol"], upper["symbol"]) == ("KIMpL", "KIMPL")
    assert lower["close"] != upper["close"]


def test_open_close_has_the_vendors_fields_and_404_where_there_is_no_bar(massive):
    found = get(massive, "/v1/open-close/AAPL/2024-03-05").json()
    assert set(found) == {
        *("status", "from", "symbol", "open", "high", "low", "close", "volume", "afterHours", "preMarket")
    }
    assert (found["status"], found["from"]) == ("OK", "2024-03-05")
    missing = get(massive, "/v1/open-close/AAPL/2024-03-29")
    assert missing.status == 404
    assert missing.json()["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("now", "word"),
    [
        ("2024-06-28T13:29:00+00:00", "extended-hours"),
        ("2024-06-28T13:30:00+00:00", "open"),
        ("2024-06-28T20:00:00+00:00", "extended-hours"),
        ("2024-06-29T00:00:00+00:00", "closed"),
        ("2024-06-19T15:00:00+00:00", "closed"),
        ("2024-07-03T17:00:00+00:00", "extended-hours"),
    ],
)
def test_the_markets_status_follows_the_clock(massive, now, word):
    massive.knobs.update({"now": now})
    answer = get(massive, "/v1/marketstatus/now").json()
    assert answer["market"] == word
    assert set(answer["exchanges"]) == {"nyse", "nasdaq", "otc"}
    assert answer["serverTime"].endswith("-04:00")


def test_upcoming_holidays_are_a_bare_list_of_the_future(massive):
    answer = get(massive, "/v1/marketstatus/upcoming").json()
    assert isinstance(answer, list)
    thanksgiving = [one for one in answer if one["date"] == "2024-11-28"]
    assert [(one["exchange"], one["status"]) for one in thanksgiving] == [
        ("NYSE", "closed"),
        ("NASDAQ", "closed"),
    ]
    (early, _) = [one for one in answer if one["date"] == "2024-11-29"]
    assert early["status"] == "early-close"
    assert (early["open"], early["close"]) == ("2024-11-29T14:30:00.000Z", "2024-11-29T18:00:00.000Z")
    assert min(one["date"] for one in answer) > "2024-07-10"


def test_a_call_needs_the_key_in_header_or_query(massive):
    target = f"{GROUPED}2024-03-05"
    assert ask(massive.url, f"{target}?apiKey={KEY}").status == 200
    assert ask(massive.url, target, key=KEY).status == 200
    wrong = ask(massive.url, target, key="other")
    assert wrong.status == 401
    assert wrong.json()["error"] == "Unknown API Key"
    assert ask(massive.url, target).status == 401


@pytest.mark.parametrize("date", ["2024-13-01", "20240305", "yesterday"])
def test_a_bad_date_is_400_with_the_schemas_fields(massive, date):
    answer = get(massive, GROUPED + date)
    assert answer.status == 400
    assert set(answer.json()) == {"status", "request_id", "error"}
    assert answer.json()["status"] == "ERROR"


def test_the_basic_plan_lets_five_calls_a_minute_through(small_market):
    clock = Clock()
    with MassiveEmulator(small_market, now=NOW, plan="basic", clock=clock) as massive:
        statuses = [get(massive, f"{GROUPED}2024-03-0{day}").status for day in (4, 5, 6, 7, 8)]
        assert statuses == [200] * 5
        clock.seconds += 20.5
        refused = get(massive, f"{GROUPED}2024-03-11")
        assert refused.status == 429
        assert refused.headers["retry-after"] == "40"
        assert refused.json()["error"].startswith("You've exceeded the maximum requests per minute")
        massive.knobs.update({"retry_after": False})
        assert "retry-after" not in get(massive, f"{GROUPED}2024-03-11").headers
        clock.seconds += 39.6
        assert get(massive, f"{GROUPED}2024-03-11").status == 200


def test_the_basic_plan_reaches_back_two_years(small_market):
    later = dt.datetime(2026, 2, 2, 17, tzinfo=dt.UTC)
    with MassiveEmulator(small_market, now=later, plan="basic", rate=(1000, 1)) as massive:
        assert get(massive, f"{GROUPED}2024-02-02").status == 200
        refused = get(massive, f"{GROUPED}2024-02-01")
        assert refused.status == 403
        assert refused.json()["status"] == "NOT_AUTHORIZED"
        assert refused.json()["message"] == "Your plan doesn't include this data timeframe."
        whole = get(massive, "/v2/aggs/ticker/KIM/range/1/day/2023-12-01/2024-01-31")
        assert whole.status == 403
        clipped = get(massive, "/v2/aggs/ticker/KIM/range/1/day/2023-12-01/2024-02-05").json()
        assert next(row["t"] for row in clipped["results"]) == 1706850000000  # 2024-02-02T05:00Z
        massive.knobs.update({"early_start": "refuse"})
        assert get(massive, "/v2/aggs/ticker/KIM/range/1/day/2023-12-01/2024-02-05").status == 403


def test_the_basic_plan_gets_todays_bars_only_tomorrow(small_market):
    with MassiveEmulator(small_market, plan="basic", rate=(1000, 1)) as massive:
        massive.knobs.update({"now": "2024-06-28T23:00:00+00:00"})  # 19:00 in New York
        refused = get(massive, f"{GROUPED}2024-06-28")
        assert refused.status == 403
        assert refused.json()["message"].startswith("Attempted to request today's data before end of day.")
        only_today = "/v2/aggs/ticker/KIM/range/1/day/2024-06-28/2024-06-28"
        assert get(massive, only_today).status == 403
        ranged = get(massive, "/v2/aggs/ticker/KIM/range/1/day/2024-06-25/2024-06-28").json()
        assert [row["t"] for row in ranged["results"]][-1] == 1719460800000  # 2024-06-27T04:00Z
        massive.knobs.update({"now": "2024-06-29T04:00:00+00:00"})  # midnight in New York
        assert get(massive, f"{GROUPED}2024-06-28").json()["resultsCount"] > 100


def test_a_large_answer_is_gzipped_for_who_accepts_it(massive):
    plain = get(massive, f"{GROUPED}2024-03-05")
    packed = get(massive, f"{GROUPED}2024-03-05", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 2


def test_another_process_can_count_turn_and_ask_for_the_truth(massive, small_market):
    get(massive, f"{GROUPED}2024-03-05?adjusted=false&apiKey={KEY}")
    get(massive, "/v3/reference/tickers")
    calls = ask(massive.url, "/_emulator/calls").json()
    assert calls["by_endpoint"] == {"grouped": 1, "tickers": 1}
    assert calls["by_status"] == {"200": 2}
    log = ask(massive.url, "/_emulator/log").json()
    assert log[0]["target"] == f"{GROUPED}2024-03-05?adjusted=false"
    assert KEY not in str(log)
    ask(massive.url, "/_emulator/calls", method="POST")
    assert ask(massive.url, "/_emulator/calls").json()["total"] == 0
    turned = ask(
        massive.url,
        "/_emulator/state",
        method="POST",
        value={"now": "2024-03-05T22:00:00+00:00", "plan": "basic", "faults": 0.25},
    )
    assert turned.json()["now"] == "2024-03-05T22:00:00+00:00"
    assert massive.knobs.faults == 0.25
    bars = ask(massive.url, "/_emulator/truth/bars?session=2024-03-05").json()
    assert bars == small_market.bars(dt.date(2024, 3, 5)).as_lists()
    served = ask(massive.url, "/_emulator/truth/bars?session=2024-03-06&now=served").json()
    assert served["symbol"] == []
    for table in (
        "sessions",
        "splits",
        "dividends",
        "renames",
        "instruments",
        "revisions?session=2024-03-05",
    ):
        assert isinstance(ask(massive.url, f"/_emulator/truth/{table}").json(), list)


@pytest.mark.parametrize("value", [{"colour": 1}, {"next_faults": ["NO_SUCH"]}])
def test_a_knob_or_fault_that_there_is_not_is_refused(massive, value):
    answer = ask(massive.url, "/_emulator/state", method="POST", value=value)
    assert answer.status == 400
    assert "no such" in answer.json()["error"]


def test_extra_rows_can_be_planted(massive):
    row = {"T": "ODD", "o": -1, "h": 0, "l": 5, "c": 2, "v": 1, "t": 1709672400000}
    massive.knobs.update({"extra_rows": {"2024-03-05": [row]}})
    assert row in get(massive, f"{GROUPED}2024-03-05").json()["results"]


def test_a_failure_of_the_emulator_itself_is_raised_when_it_stops(small_market):
    massive = MassiveEmulator(small_market, now=NOW)
    massive.start()
    massive.knobs.plan = "no such plan"
    assert get(massive, f"{GROUPED}2024-03-05").status == 500
    with pytest.raises(RuntimeError, match="no such plan"):
        massive.stop()
