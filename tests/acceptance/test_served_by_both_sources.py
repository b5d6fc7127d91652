"""What a server answers from the database, a server of what is published answers too: the same rows."""

import datetime as dt
from contextlib import ExitStack

import pytest

import condvest
from condvest.batch_layer.shared.settings import Settings
from tests.acceptance.conftest import Condvest, fresh_on
from tests.support.serving import serving

# Facebook was FB until 2022-06-08 and is META since; a fund was META before.
PRICES = (
    *(f"FB,2022-06-0{day},200,210,190,{200 + day},1000" for day in (6, 7, 8)),
    *(f"META,2022-06-0{day},10,11,9,10,50" for day in (6, 8)),
    "META,2022-06-09,180,190,170,185,1100",
)


@pytest.fixture(scope="module")
def companies(server, prepared, tmp_path_factory):
    """A database in which one company has taken another one's symbol; and where it is published."""
    place = tmp_path_factory.mktemp("companies")
    program = fresh_on(server, prepared)
    header = "symbol,session,open,high,low,close,volume"
    (place / "prices.csv").write_text("\n".join([header, *PRICES]) + "\n")
    (place / "renames.csv").write_text("from,to,date\nFB,META,2022-06-09\n")
    program.done("import", place / "prices.csv", "--renames", place / "renames.csv")
    program.done("publish", "--to", place / "published")
    return program, place / "published"


@pytest.fixture(scope="module")
def both(companies):
    program, place = companies
    with ExitStack() as stack:
        yield (
            stack.enter_context(serving(program)),
            stack.enter_context(serving(program, "--source", "published", "--from", place)),
        )


@pytest.fixture(scope="module")
def sample_of_both(sample, tmp_path_factory):
    place = tmp_path_factory.mktemp("sample") / "published"
    sample.done("publish", "--to", place)
    with ExitStack() as stack:
        yield (
            stack.enter_context(serving(sample)),
            stack.enter_context(serving(sample, "--source", "published", "--from", place)),
        )


def told(client, path):
    """Return what an answer says, but for the version of the data and the request's id."""
    answer = client.get(path)
    said = answer.json()
    if isinstance(said, dict):
        for name in ("version", "published_at", "instance", "request_id"):
            said.pop(name, None)
    return answer.status_code, said


@pytest.mark.parametrize(
    ("symbol", "on", "closes"),
    [
        ("META", "2022-06-07", [10.0, 10.0]),  # the fund
        ("META", "2022-06-09", [206.0, 207.0, 208.0, 185.0]),
        ("FB", "2022-06-08", [206.0, 207.0, 208.0, 185.0]),
        ("META", None, [206.0, 207.0, 208.0, 185.0]),
    ],
)
def test_a_symbol_stands_for_who_carried_it_on_a_date(both, companies, symbol, on, closes):
    asked = f"/v1/bars?interval=1&include_open=true&symbol={symbol}" + (f"&symbols_on={on}" if on else "")
    for client in both:
        rows = client.get(asked).json()["rows"]
        assert ([row["close"] for row in rows], {row["symbol"] for row in rows}) == (closes, {"META"})
    program, place = companies
    settings = Settings.from_env(program.environ | {"CONDVEST_PUBLISHED": str(place)})
    how = {"interval": 1, "include_open": True, "symbols_on": on, "settings": settings}
    for source in ("database", "published", str(both[0].base_url)):
        table = condvest.bars(symbol, source=source, **how)
        assert table["close"].to_pylist() == closes


def test_the_command_line_knows_who_carried_a_symbol_on_a_date(companies):
    program, _ = companies
    asked = ("bars", "META", "--interval", "1", "--include-open", "--format", "csv")
    fund = program.done(*asked, "--symbols-on", "2022-06-07").splitlines()[1:]
    assert [line.split(",")[3] for line in fund] == ["2022-06-06", "2022-06-08"]
    assert len(program.done(*asked).splitlines()) == 1 + 4
    none = program("bars", "FB", "--symbols-on", "2022-06-09")
    assert (none.returncode, "carried FB on 2022-06-09" in none.stderr) == (1, True)


def test_whom_a_symbol_stood_for_is_told_by_label_where_names_are_to_be_unique(both):
    for client in both:
        (row, *_) = client.get(
            "/v1/bars?interval=1&include_open=true&symbol=META&symbols_on=2022-06-07&unique_symbols=true"
        ).json()["rows"]
        fund = int(row["symbol"].removeprefix("META#"))
        known = client.get("/v1/instruments?symbol=META&symbols_on=2022-06-07").json()["rows"]
        assert [each["instrument_id"] for each in known] == [fund]
        carried = client.get(f"/v1/symbols?instrument_id={fund}").json()["rows"]
        assert [(each["symbol"], each["valid_to"]) for each in carried] == [("META", "2022-06-08")]


def test_a_symbol_that_nobody_carried_on_a_date_is_unknown(both):
    for client in both:
        answer = client.get("/v1/bars?symbol=FB&symbols_on=2022-06-09")
        problem = answer.json()
        assert (answer.status_code, problem["parameter"], problem["value"]) == (404, "symbol", "FB")
        assert "carried FB on 2022-06-09" in problem["detail"]
        assert client.get("/v1/instruments?symbol=FB&symbols_on=2022-06-09").status_code == 404
        assert client.get("/v1/bars?symbols_on=2022-06-09").status_code == 400
        assert client.get("/v1/instruments?symbols_on=2022-06-09").status_code == 400


@pytest.mark.parametrize("date", ["2022-06-07", "2022-06-08", "2022-06-09", "2022-06-10", "2022-06-11"])
def test_a_session_of_all_is_told_in_the_vendors_form_by_both(both, date):
    """In a file of prices nothing says that it has the whole market, so each session counts as partial."""
    path = f"/v2/aggs/grouped/locale/us/market/stocks/{date}"
    assert told(both[1], path) == told(both[0], path)


def test_a_session_of_the_sample_is_told_in_the_vendors_form_by_both(sample_of_both):
    path = "/v2/aggs/grouped/locale/us/market/stocks/2012-11-23"
    status, said = told(sample_of_both[1], path)
    assert (status, [row["T"] for row in said["results"]]) == (200, ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
    assert (status, said) == told(sample_of_both[0], path)


PATHS = (
    "/v1/bars?symbol=AAPL&last=3",
    "/v1/bars?symbol=AAPL&last=3&as_of=2001-01-01",
    "/v1/version",
    "/v1/instruments?symbols=AAPL,FB",
    "/v1/instruments?symbol=NONE",
    "/v1/instruments?type=CS&exchange=XNAS",
    "/v1/instruments?type=none",
    "/v1/symbols?symbol=NONE",
    "/v1/sessions?provider=sample&start=2012-10-25&end=2012-11-02",
    "/v1/sessions?provider=nobody",
    "/v1/coverage?symbols=AAPL,FB&by=year",
    "/v1/coverage?symbol=FB&by=session",
    "/v1/coverage?symbol=NONE",
    "/v1/coverage?symbol=FB&provider=sample",
    "/v1/screen?sort=close_5",
    "/udf/search?query=apple",
    "/udf/symbols?symbol=AAPL",
    "/v3/reference/tickers",
    "/v3/reference/tickers/AAPL",
    "/health/ready?max_behind=0",
)


@pytest.mark.parametrize("path", PATHS)
def test_both_answer_the_same(sample_of_both, path):
    assert told(sample_of_both[1], path) == told(sample_of_both[0], path)


def test_what_was_loaded_and_when_it_was_published_is_told(sample_of_both):
    database, published = sample_of_both
    for client in sample_of_both:
        assert client.get("/v1/bars?symbol=AAPL&limit=1").json()["loaded_through"] == {"sample": "2013-03-01"}
        assert client.get("/v1/version").json()["loaded_through"] == {"sample": "2013-03-01"}
    assert database.get("/v1/version").json()["published_at"] is None
    told_at = dt.datetime.fromisoformat(published.get("/v1/version").json()["published_at"])
    assert abs(dt.datetime.now(dt.UTC) - told_at) < dt.timedelta(hours=1)
    assert published.get("/v1/datasets").json()["published_at"] == told_at.isoformat()


def test_the_sessions_of_a_provider_and_of_symbols_are_counted(both):
    """The exchange held five sessions from June 6 to 10, 2022; the fund lacks June 7."""
    for client in both:
        rows = client.get("/v1/sessions?provider=file&start=2022-06-03&end=2022-06-10").json()["rows"]
        assert [row["session"][-2:] for row in rows] == ["03", "06", "07", "08", "09", "10"]
        status = [row["status"] for row in rows]
        assert (status[0], status[-1], set(status[1:-1]) <= {"complete", "partial"}) == (None, None, True)
        fund = client.get("/v1/symbols?symbol=META&on=2022-06-07").json()["rows"][0]["instrument_id"]
        (month,) = client.get("/v1/coverage", params={"symbol": f"META#{fund}"}).json()["rows"]
        assert (month["period"], month["expected"], month["present"], month["missing"]) == (
            "2022-06-01",
            3,
            2,
            1,
        )
        days = client.get("/v1/coverage", params={"symbol": f"META#{fund}", "by": "session"}).json()["rows"]
        assert [row["period"] for row in days if row["missing"]] == ["2022-06-07"]


def test_who_follows_the_market_is_ready(both, sample_of_both):
    """The sample ends by itself; the file's last session was years ago."""
    for client in (*both, *sample_of_both):
        assert client.get("/health/ready").json() == {"status": "ok"}
        assert client.get("/health/ready?max_behind=x").status_code == 400
    for client in sample_of_both:
        assert client.get("/health/ready?max_behind=0").status_code == 200
    for client in both:
        answer = client.get("/health/ready?max_behind=5")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/stale")
        assert "file is " in answer.json()["detail"]
        assert answer.headers["retry-after"]
        assert client.get("/health/ready?max_behind=100000").status_code == 200


def test_a_problem_names_the_parameter_its_value_and_what_was_meant(sample_of_both):
    asked = {
        "/v1/bars?symbol=APPL": ("symbol", "APPL", ["AAPL"]),
        "/v1/bars?interval=0": ("interval", "0", None),
        "/v1/bars?columns=clos": ("columns", "clos", ["close"]),
        "/v1/bars?start=": ("start", "", None),
        "/v1/coverage?provider=sampel": ("provider", "sampel", ["sample"]),
        "/v1/screen?sort=-close_": ("sort", "-close_", ["close"]),
        "/v1/bars?symbl=AAPL": ("symbl", None, ["symbol", "symbols"]),
    }
    for client in sample_of_both:
        for path, (parameter, value, near) in asked.items():
            problem = client.get(path).json()
            assert (problem["parameter"], problem.get("value")) == (parameter, value), path
            assert problem.get("near", [None])[0] == (near or [None])[0], path


def test_another_condvest_backfills_from_published_files(sample, sample_of_both, fresh, tmp_path):
    address = str(sample_of_both[1].base_url).rstrip("/")
    massive = {
        "CONDVEST_MASSIVE_BASE_URL": address,
        "MASSIVE_API_KEY": "any",
        "CONDVEST_MASSIVE_PLAN": "paid",
    }
    mirror = Condvest(fresh.home, {**fresh.env, **massive, "CONDVEST_ARCHIVE": str(tmp_path / "archive")})
    asked = ("--start", "2012-11-19", "--end", "2012-11-30")
    mirror.done("backfill", "--provider", "massive", *asked)
    as_csv = ("bars", "--interval", "1", "--include-open", "--adjust", "none", "--format", "csv", *asked)
    assert mirror.done(*as_csv) == sample.done(*as_csv)
    assert len(mirror.done(*as_csv).splitlines()) == 1 + 5 * 9  # without Thanksgiving


def test_a_method_that_is_refused_is_answered_with_those_that_are_not(both):
    for client in both:
        assert client.delete("/v1/bars").headers["allow"] == "GET, HEAD, POST"
        refused = client.post("/v1/gaps")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


UNTAGGED = (
    *("/v1/version", "/v1/status", "/v1/datasets", "/v1/datasets/bars_13", "/v1/live", "/v1/none"),
    *("/v1/bars?symbol=NONE", "/v1/bars?interval=0", "/v3/reference/tickers/NONE", "/udf/history"),
    *("/udf/time", "/widgets.json", "/openapi.json", "/metrics", "/health/ready"),
)


def test_nobody_may_keep_what_has_no_tag(sample_of_both):
    """Of a state, a list of files or a problem a cache knows not when it ends, and would choose by itself."""
    for client in sample_of_both:
        for path in UNTAGGED:
            answer = client.get(path)
            assert ("etag" in answer.headers, answer.headers.get("cache-control")) == (False, "no-store"), (
                path
            )
        assert client.get("/v1/bars?symbol=AAPL").headers["cache-control"] == "private, no-cache"
        assert client.get("/stocks/v1/splits").headers["cache-control"] == "private, no-cache"
        assert client.get("/").headers["cache-control"] == "no-cache"


def test_instruments_are_the_same_table_from_every_source(companies, both):
    program, place = companies
    settings = Settings.from_env(program.environ | {"CONDVEST_PUBLISHED": str(place)})
    stored = condvest.instruments(settings=settings)
    assert len(stored) == 2
    for source in ("published", *(str(client.base_url) for client in both)):
        assert condvest.instruments(source=source, settings=settings).equals(stored)
    assert len(condvest.instruments(active=False, source="published", settings=settings)) == 0
