"""Every page of an answer over HTTP belongs to one state of the data, which its version names."""

import shutil

import psycopg
import pytest

from tests.acceptance.conftest import Condvest
from tests.support.serving import serving

DAYS = (3, 4, 5, 6, 7, 10, 11, 12, 13, 14)


def lines(volume, days=DAYS):
    return [f"T,2024-06-{day:02},{day},{day + 1},{day - 1},{day},{volume}" for day in days]


@pytest.fixture
def loaded(fresh, prices):
    fresh.done("import", prices(*lines(100)))
    return fresh


def test_a_later_page_of_the_past_holds_what_was_known_at_as_of(loaded, prices):
    """The page after a load is still of the past that was asked for, not of the first page's present."""
    with serving(loaded) as client:
        known = client.get("/v1/history?symbol=T").json()["rows"][0]["known_from"]
        loaded.done("import", prices(*lines(999)))
        url = "/v1/bars?interval=1&limit=4&as_of=" + known.replace("+00:00", "Z")
        first = client.get(url).json()
        loaded.done("import", prices(*lines(555)))
        second = client.get(first["next"]).json()
        assert [row["volume"] for row in first["rows"] + second["rows"]] == [100.0] * 8


def test_what_stands_beside_the_rows_is_of_their_state(loaded, prices):
    with serving(loaded) as client:
        first = client.get("/v1/bars?interval=1&limit=4").json()
        loaded.done("import", prices(*lines(100, (17, 18))))
        second = client.get(first["next"]).json()
        assert first["loaded_through"] == second["loaded_through"] == {"file": "2024-06-14"}
        assert client.get("/v1/bars?interval=1").json()["loaded_through"] == {"file": "2024-06-18"}
        assert client.get("/v1/version").json()["loaded_through"] == {"file": "2024-06-18"}


def test_a_cursor_of_another_database_is_gone(loaded, fresh_too, prices):
    fresh_too.done("import", prices(*lines(999)))
    with serving(loaded) as one, serving(fresh_too) as other:
        following = one.get("/v1/bars?interval=1&limit=4").json()["next"]
        assert other.get(following).status_code == 410


def test_what_is_put_back_to_an_earlier_state_shares_no_tag_and_no_page_with_what_came_after_it(
    tmp_path, prices
):
    """A copy of the home is a backup. Its server numbers transactions and loads as the former one did."""
    program, backup = Condvest(tmp_path / "home"), tmp_path / "backup"
    try:
        program.done("import", prices(*lines(100)))
        program.done("db", "down", "--now")
        shutil.copytree(program.home, backup, symlinks=True)
        program.done("import", prices(*lines(999)))
        program.done("db", "up")
        with psycopg.connect(program.url(), autocommit=True) as connection:
            for _ in range(100):  # the server's own work takes numbers too
                connection.execute("SELECT pg_current_xact_id()")
        with serving(program) as client:
            before = client.get("/v1/bars?interval=1&limit=4")
            assert {row["volume"] for row in before.json()["rows"]} == {999.0}
        number = before.headers["condvest-version"].rpartition(":")[0].rpartition(":")[2]
        program.done("db", "down", "--now")
        shutil.rmtree(program.home)
        backup.rename(program.home)
        program.done("import", prices(*lines(555)))
        program.done("db", "up")
        with psycopg.connect(program.url(), autocommit=True) as connection:
            now = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
            while int(connection.execute(now).fetchone()[0]) < int(number):
                connection.execute("SELECT pg_current_xact_id()")
            assert connection.execute(now).fetchone()[0] == number
        with serving(program) as client:
            has = {"If-None-Match": before.headers["etag"]}
            after = client.get("/v1/bars?interval=1&limit=4", headers=has)
            assert after.status_code == 200
            assert {row["volume"] for row in after.json()["rows"]} == {555.0}
            assert client.get(before.json()["next"]).status_code == 410
    finally:
        program("db", "down", "--now")


def test_a_page_after_a_publication_is_of_the_first_pages_version_until_that_is_dropped(
    loaded, prices, tmp_path
):
    place = tmp_path / "published"
    loaded.done("publish", "--to", place)
    with serving(loaded, "--source", "published", "--from", place) as client:
        first = client.get("/v1/bars?interval=1&limit=4").json()
        loaded.done("import", prices(*lines(999)))
        loaded.done("publish", "--to", place)
        second = client.get(first["next"]).json()
        assert [row["volume"] for row in first["rows"] + second["rows"]] == [100.0] * 8
        loaded.done("import", prices(*lines(555)))
        loaded.done("publish", "--to", place, "--keep", "0")
        other = client.get(second["next"].replace("limit=4", "limit=2"))  # of which nothing is kept
        assert (other.status_code, "ask for the first page again" in other.json()["detail"]) == (410, True)


def test_two_data_sets_of_one_number_share_no_tag(loaded, prices, tmp_path):
    """Someone puts another data set in the place of one: both are of version 1 of the same database."""
    place, other = tmp_path / "published", tmp_path / "other"
    loaded.done("publish", "--to", place)
    loaded.done("import", prices(*lines(999)))
    loaded.done("publish", "--to", other)
    with serving(loaded, "--source", "published", "--from", place) as client:
        before = client.get("/v1/bars?interval=1")
        place.rename(tmp_path / "before")
        other.rename(place)
        after = client.get("/v1/bars?interval=1", headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200
        assert {row["volume"] for row in after.json()["rows"]} == {999.0}


def test_coverage_counts_the_sessions_of_each_period(fresh, prices):
    """From May 31 to June 14, 2024, the exchange held 11 sessions, of which June 5 to 7 are missing here."""
    days = ("05-31", "06-03", "06-04", *(f"06-{day}" for day in range(10, 15)))
    fresh.done(
        "import", prices(*(f"T,2024-{day},5,6,4,5,100" for day in days), "U,2024-06-14,5,6,9,5,1"), code=3
    )
    with serving(fresh) as client:
        months = client.get("/v1/coverage").json()["rows"]
        assert [(row["provider"], row["period"], row["expected"], row["missing"]) for row in months] == [
            ("file", "2024-05-01", 1, 0),
            ("file", "2024-06-01", 10, 3),
        ]
        (year,) = client.get("/v1/coverage?by=year&provider=file").json()["rows"]
        assert (year["period"], year["expected"], year["missing"]) == ("2024-01-01", 11, 3)
        assert (year["bars"], year["refused"]) == (8, 1)
        assert year["complete"] + year["partial"] == 8
        sessions = client.get("/v1/coverage?by=session").json()["rows"]
        missing = [row["period"] for row in sessions if row["missing"]]
        assert missing == ["2024-06-05", "2024-06-06", "2024-06-07"]
        assert client.get("/v1/coverage?provider=yahoo").status_code == 404
