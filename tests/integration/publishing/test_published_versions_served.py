"""A published version that is kept can be asked for by name, and read page by page after the next one."""

import hashlib
import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from tests.support.asked import application
from tests.support.payloads import bar
from tests.support.publishing import published

SESSIONS = 12
PAGES = "/v1/bars?interval=1&limit=4"


@pytest.fixture(params=[PublishedBackend, DatabaseBackend])
def kind(request):
    return request.param


@pytest.fixture
def night(world, tmp_path):
    """Return a function that corrects every volume and publishes, and the settings of what is published."""
    target = DirectoryTarget(tmp_path / "published")

    def run(volume, keep=3):
        world.bars([bar("T", world.date(at), volume=volume) for at in range(SESSIONS)])
        published(world, target, keep=keep)

    run(1)
    return run, replace(world.workspace.settings, published_at=target.name)


def volumes(answer):
    assert answer.status_code == 200, answer.text
    return [row["volume"] for row in answer.json()["rows"]]


def test_a_version_that_is_asked_for_never_changes_and_may_be_kept_for_ever(night, kind):
    run, settings = night
    with application(settings, PublishedBackend) as now, application(settings, kind) as app:
        version = now.get("/v1/version").json()["version"]
        pinned = f"/v1/bars?interval=1&version={version}"
        before = app.get(pinned)
        run(2)
        after = app.get(pinned)
        assert volumes(before) == volumes(after) == [1.0] * SESSIONS
        assert after.headers["condvest-version"] == version
        assert "immutable" in after.headers["cache-control"]
        assert volumes(now.get("/v1/bars?interval=1")) == [2.0] * SESSIONS
        assert "no-cache" in now.get("/v1/bars?interval=1").headers["cache-control"]
        has = {"If-None-Match": before.headers["etag"]}
        told = app.get(pinned, headers=has)
        assert (told.status_code, "immutable" in told.headers["cache-control"]) == (304, True)
        assert now.get("/v1/bars?interval=1", headers=has).status_code == 200
        kept = now.get("/v1/datasets").json()["kept"]
        assert kept == [version, now.get("/v1/version").json()["version"]]


def test_the_files_of_a_kept_version_are_listed_and_sent(night, kind):
    run, settings = night

    def read(app, version):
        asked = {} if version is None else {"version": version}
        listed = app.get("/v1/datasets/daily_bars", params=asked)
        assert listed.status_code == 200, listed.text
        content = [app.get(file["url"]).content for file in listed.json()["files"]]
        assert [hashlib.sha256(each).hexdigest() for each in content] == [
            file["sha256"] for file in listed.json()["files"]
        ]
        tables = [pq.read_table(pa.BufferReader(each), columns=["volume"]) for each in content]
        return listed.json()["version"], pa.concat_tables(tables)["volume"].to_pylist()

    with application(settings, kind) as app:
        version = app.get("/v1/datasets").json()["version"]
        run(2)
        now = app.get("/v1/datasets").json()["version"]
        assert read(app, version) == (version, [1.0] * SESSIONS)
        assert read(app, None) == read(app, now) == (now, [2.0] * SESSIONS)
        assert app.get("/v1/datasets", params={"version": version}).json()["version"] == version
        run(3, keep=0)
        for path in ("/v1/datasets", "/v1/datasets/daily_bars"):
            assert app.get(path, params={"version": version}).status_code == 410
            assert app.get(path, params={"version": "7"}).status_code == 400


def test_a_version_that_is_no_longer_kept_is_gone(night, kind):
    run, settings = night
    with application(settings, PublishedBackend) as now:
        version = now.get("/v1/version").json()["version"]
    run(2, keep=0)
    with application(settings, kind) as app:
        gone = app.get(f"/v1/bars?version={version}")
        assert (gone.status_code, gone.json()["type"]) == (410, "/problems/gone")
        other = version.replace(version[2:10], "00000000")
        assert app.get(f"/v1/bars?version={other}").status_code == 410
        for wrong in ("7", "d-00000000-7", "p-00000000-0", "p-../../x-1"):
            answer = app.get("/v1/bars", params={"version": wrong})
            assert (answer.status_code, "version" in answer.json()["detail"]) == (400, True), wrong


def test_pages_belong_to_the_first_though_versions_are_published_between(night):
    """The first page's version is read on while it is kept; once it is dropped, the next page is gone."""
    run, settings = night
    with application(settings, PublishedBackend) as app:
        first = app.get(PAGES)
        run(2)
        second = app.get(first.json()["next"])
        run(3)
        third = app.get(second.json()["next"])
        assert third.json()["next"] is None
        pages = (first, second, third)
        assert [volume for page in pages for volume in volumes(page)] == [1.0] * SESSIONS
        assert {page.headers["condvest-version"] for page in pages} == {first.headers["condvest-version"]}
        run(4, keep=0)
    with application(settings, PublishedBackend) as app:  # which has kept no answer
        gone = app.get(first.json()["next"])
        assert (gone.status_code, "ask for the first page again" in gone.json()["detail"]) == (410, True)
        assert volumes(app.get(PAGES)) == [4.0] * 4


def test_the_pages_of_a_named_version_stay_of_it(night):
    run, settings = night
    with application(settings, PublishedBackend) as app:
        version = app.get("/v1/version").json()["version"]
        run(2)
        url, got = f"{PAGES}&version={version}", []
        while url:
            page = app.get(url)
            got += volumes(page)
            url = json.loads(page.text)["next"]
        assert got == [1.0] * SESSIONS


def test_a_version_that_was_looked_at_and_has_vanished_is_gone(night):
    run, settings = night
    with application(settings, PublishedBackend) as app:
        version = app.get("/v1/version").json()["version"]
        run(2, keep=0)
        assert app.get(f"/v1/splits?version={version}").status_code == 410
        assert volumes(app.get("/v1/bars?interval=1")) == [2.0] * SESSIONS


def test_the_source_is_chosen_for_each_question(night):
    """The load that is not published yet is in the database alone, whatever was asked before."""
    run, settings = night
    with application(settings) as app:
        plain, files = "/v1/bars?interval=1", "/v1/bars?interval=1&source=published"
        before = app.get(files)
        assert volumes(before) == volumes(app.get(plain)) == [1.0] * SESSIONS
        world_version = app.get("/v1/version").json()["version"]
        assert app.get("/v1/version?source=published").json()["version"] == before.json()["version"]
        assert before.json()["version"].startswith("p-")
        assert world_version.startswith("d-")
        has = {"If-None-Match": before.headers["etag"]}
        assert [app.get(files, headers=has).status_code for _ in range(2)] == [304, 304]
        assert app.get(plain, headers=has).status_code == 200
        assert app.get(f"{plain}&source=database", headers=has).status_code == 200
        run(2)
        for _ in range(2):  # the second one may be what is kept
            after = app.get(files, headers=has)
            assert (after.status_code, volumes(after)) == (200, [2.0] * SESSIONS)
        pages = [app.get(f"{files}&limit=7").json()]
        run(3)
        pages.append(app.get(pages[0]["next"]).json())
        assert [row["volume"] for page in pages for row in page["rows"]] == [2.0] * SESSIONS
        assert volumes(app.get(plain)) == volumes(app.get(files)) == [3.0] * SESSIONS
        assert app.get("/v1/status?source=published").json()["daily_bars"] == SESSIONS


def test_a_source_that_is_not_there_is_said(night, tmp_path):
    _, settings = night
    with application(settings, PublishedBackend) as app:
        assert volumes(app.get("/v1/bars?interval=1&source=published")) == [1.0] * SESSIONS
        version = app.get("/v1/version").json()["version"]
        for path in ("/v1/bars?source=database", "/v1/version?source=database", "/v1/status?source=database"):
            answer = app.get(path)
            assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")
        both = app.get(f"/v1/bars?source=database&version={version}")
        assert (both.status_code, both.json()["parameter"]) == (400, "source")
    with application(replace(settings, published_at=str(tmp_path / "none"))) as app:
        answer = app.get("/v1/bars?source=published")
        assert (answer.status_code, "condvest publish" in answer.json()["detail"]) == (400, True)
        for path in ("/v1/bars?source=files", "/v1/version?sorce=database", "/v1/status?source="):
            assert app.get(path).status_code == 400
