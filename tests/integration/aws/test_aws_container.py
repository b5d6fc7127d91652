"""The image of the jobs, built by its unmodified script and run as the job definition of AWS Batch says."""

import json
import time
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.aws import artefacts, containers
from tests.support.exchange import NOW
from tests.support.payloads import bar
from tests.support.worlds.world import World

pytestmark = pytest.mark.aws

AWAY = "postgresql://nobody@127.0.0.1:9/none"


@pytest.fixture(scope="module", autouse=True)
def _as_shipped():
    artefacts.need_runtime()


@pytest.fixture(scope="module")
def docker():
    with containers.docker() as one:
        yield one


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    with containers.registry(tmp_path_factory.mktemp("registry")) as address:
        yield f"{address}/condvest-dev/jobs"


@pytest.fixture(scope="module")
def pushed(docker, repository):
    """The image, built and pushed, by the digest that the script printed."""
    name = docker.build(artefacts.built("image").parent, "--push", repository)
    yield name
    docker.forget(*names_of(repository))


def names_of(repository):
    """Return the names that the image has here, by the tag that the registry has."""
    address, _, path = repository.partition("/")
    (tag,) = httpx.get(f"http://{address}/v2/{path}/tags/list").json()["tags"]
    return f"{repository}:{tag}", f"condvest-jobs:{tag}"


@pytest.fixture(scope="module")
def image(docker, pushed):
    """The image as Batch gets it: pulled by its digest."""
    docker("pull", "--quiet", pushed)
    return pushed


@pytest.fixture
def changed(other_server, sessions, tmp_path):
    """A market of 200 instruments over 40 sessions, loaded and not resampled, on a server over TCP."""
    with other_server.lent() as url, Database(url) as database:
        one = World(
            Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=url)), database, NOW), sessions
        )
        one.bars([bar(f"S{number}", one.date(15_000 + n)) for number in range(200) for n in range(40)])
        yield one
        one.close()


@contextmanager
def stuck(docker, image, world):
    """A job in the middle of its transaction: it waits for a table that is locked here."""
    with world.workspace.database.transaction() as connection:
        connection.execute("LOCK TABLE bars IN ACCESS EXCLUSIVE MODE")
        with docker.job(image, "resample", CONDVEST_DATABASE_URL=world.url) as job:
            while not world.number("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert job.is_running()
            yield job


def test_the_image_is_small_and_runs_as_an_ordinary_user(docker, image):
    told = json.loads(docker("inspect", image))[0]
    base = json.loads(docker("inspect", containers.BASE_NAME))[0]
    print(f"image {told['Size'] / 1e6:.0f} MB, of which base {base['Size'] / 1e6:.0f} MB")
    assert told["Size"] <= 350e6
    assert told["Size"] - base["Size"] <= 225e6
    assert told["Config"]["User"] == "10001:10001"
    assert told["Architecture"] == "amd64"
    code, text = docker.run(image, "--version")
    assert (code, text.startswith("condvest, version ")) == (0, True), text


def test_an_array_of_four_ends_like_one_process(docker, image, changed):
    for index in range(4):
        code, told = docker.run(
            image,
            "resample",
            CONDVEST_DATABASE_URL=changed.url,
            CONDVEST_CORRELATION_ID="nightly/2024-06-03T12:00:00Z",
            POWERTOOLS_SERVICE_NAME="resample",
            AWS_BATCH_JOB_ARRAY_INDEX=str(index),
            AWS_BATCH_JOB_ARRAY_SIZE="4",
        )
        assert code == 0, told
        lines = [json.loads(line) for line in told.splitlines()]
        assert {(one["correlation_id"], one["shard"], one["service"]) for one in lines} == {
            ("nightly/2024-06-03T12:00:00Z", str(index), "resample")
        }
        assert sum("_aws" in one for one in lines) == 1
    assert changed.differences() == []
    assert changed.number("SELECT count(*) FROM changes") == 0
    assert changed.number("SELECT count(DISTINCT instrument_id) FROM bars") == 200


def test_exit_codes_say_what_to_run_again(docker, image, other_server, changed):
    """75 may pass by itself, 1 needs somebody, 2 is wrong usage; the message says which."""
    later = other_server.database()
    try:
        with psycopg.connect(later) as connection:
            connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'a later one', '')"
            )
        wrong_schema = docker.run(image, "resample", CONDVEST_DATABASE_URL=later)
    finally:
        other_server.drop(later)
    away = docker.run(image, "resample", CONDVEST_DATABASE_URL=AWAY)
    no_shard = docker.run(image, "resample", "--shard", "4/4", CONDVEST_DATABASE_URL=changed.url)
    assert [code for code, _ in (wrong_schema, away, no_shard)] == [1, 75, 2]
    assert "9999" in wrong_schema[1]
    assert "cannot reach the database" in away[1]
    assert "no shard 4 of 4" in no_shard[1]


def test_a_connection_that_is_lost_in_the_middle_ends_with_75(docker, image, changed):
    with stuck(docker, image, changed) as job:
        changed.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        assert job.wait()[0] == 75
    assert changed.number("SELECT count(*) FROM changes") > 0


def test_a_reclaimed_job_ends_within_its_grace_time_and_the_retry_finishes(docker, image, changed):
    """``docker stop`` sends SIGTERM; Fargate gives 120 s at most, this gives 30 and needs far less."""
    with stuck(docker, image, changed) as job:
        began = time.monotonic()
        job.stop(30)
        code, told = job.wait()
        assert time.monotonic() - began < 15
    assert (code, "stopped" in told) == (143, True), told
    assert changed.number("SELECT count(*) FROM bars") == 0
    assert changed.number("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0
    assert docker.run(image, "resample", CONDVEST_DATABASE_URL=changed.url)[0] == 0
    assert changed.differences() == []


def test_the_database_is_migrated_by_the_same_image(docker, image, other_server):
    empty = other_server.empty_database()
    try:
        assert docker.run(image, "db", "migrate", CONDVEST_DATABASE_URL=empty)[0] == 0
        assert docker.run(image, "resample", CONDVEST_DATABASE_URL=empty)[0] == 0
    finally:
        other_server.drop(empty)


def test_it_is_pushed_once_and_named_by_the_digest_that_the_registry_has(
    docker, pushed, repository, tmp_path
):
    """Built elsewhere by who has nothing of it, it has the same tag, so it is found and not written again."""
    address, _, path = repository.partition("/")
    digest = pushed.removeprefix(f"{repository}@")
    kinds = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    there = httpx.head(f"http://{address}/v2/{path}/manifests/{digest}", headers=kinds)
    assert (there.status_code, there.headers["Docker-Content-Digest"]) == (200, digest)
    names = names_of(repository)
    docker.forget(*names, pushed)
    assert docker.build(tmp_path, "--push", repository) == pushed
    assert names_of(repository) == names
