"""The loader's sweep finds what no event started, and measures what waits for jobs that never come."""

import datetime as dt
import json

import pytest

from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.migration_files import Migration, migrations
from condvest.batch_layer.fetching.lambda_functions import archive_loader
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.errors import ArchiveError, SchemaTooNew
from tests.support.aws.emulated import BUCKET
from tests.support.aws.lambdas import NOW

SWEEP = {"schedule": "sweep", "scheduled_at": "2024-06-03T11:00:00Z"}
CHECK = {"check": "everything"}


def measured(capsys, name):
    """Return the metric's value in the newest call's metrics."""
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [one[name] for one in told if "_aws" in one and name in one][-1]


def at(monkeypatch, instant):
    monkeypatch.setattr(archive_loader, "utc_now", lambda: instant)


def test_a_dropped_event_is_repaired_by_the_next_sweep(lambdas):
    """S3 told of the first answer, and of the two others nobody heard."""
    told, *dropped = lambdas.fetch({"sessions": ["2024-05-31", "2024-05-30", "2024-05-29"]})["archived"]
    lambdas.load({"keys": [told]})
    answer = lambdas.load(SWEEP)
    assert answer["keys"] == dict.fromkeys(dropped, "loaded")
    assert answer["changed"] > 0  # which starts the jobs
    assert answer["correlation_id"] == "sweep/2024-06-03T11:00:00Z"
    assert lambdas.load(SWEEP)["keys"] == {}


def test_a_key_that_cannot_be_loaded_holds_up_no_other_and_fails_the_sweep(lambdas):
    gone, good = lambdas.fetch({"sessions": ["2024-05-31", "2024-05-30"]})["archived"]
    lambdas.s3.delete_object(Bucket=BUCKET, Key=f"archive/{gone}.zst")
    with pytest.raises(ArchiveError, match="nothing under that key"):
        lambdas.load(SWEEP)
    assert lambdas.load({"keys": [good]})["keys"] == {good: "loaded already"}


def test_what_is_older_than_a_dead_letter_is_left_to_people(lambdas, monkeypatch):
    lambdas.fetch({"sessions": ["2024-05-31"]})
    at(monkeypatch, dt.datetime.now(dt.UTC) + dt.timedelta(days=15))
    assert lambdas.load(SWEEP)["keys"] == {}


def test_a_check_loads_nothing_and_says_what_a_sweep_would_find(lambdas):
    lambdas.fetch({"sessions": ["2024-05-31", "2024-05-30"]})
    assert (lambdas.load(CHECK)["not_loaded"], lambdas.load(CHECK)["changed"]) == (2, 0)


def test_an_array_that_never_starts_is_seen_by_the_loader(lambdas, database, sessions, monkeypatch, capsys):
    """Loaded in the evening; in the morning the changes still wait, until they are resampled."""
    evening = dt.datetime.now(dt.UTC)
    lambdas.fetch({"sessions": ["2024-05-31"]})
    at(monkeypatch, evening)
    assert lambdas.load(SWEEP)["changed"] > 0
    assert measured(capsys, "BarsStalenessHours") == [0.0]
    at(monkeypatch, evening + dt.timedelta(hours=9.5))
    lambdas.load(SWEEP)
    (hours,) = measured(capsys, "BarsStalenessHours")
    assert 9.4 < hours < 9.6  # above the alarm's 8
    resample(database, sessions)
    lambdas.load(SWEEP)
    assert measured(capsys, "BarsStalenessHours") == [0.0]
    assert evening > NOW


def test_an_event_between_the_migration_and_the_code_is_loaded(lambdas, database):
    """A deployment migrates first: until the functions change, this loader meets the schema of the next."""
    (key,) = lambdas.fetch({"sessions": ["2024-05-31"]})["archived"]
    newest = migrations()[-1].version
    added = Migration(newest + 1, "added", f"-- readable from: {newest}\nCREATE TABLE added (n int4);")
    migrate(database, [*migrations(), added])
    assert lambdas.load(lambdas.event_of(f"archive/{key}.json"))["keys"] == {key: "loaded"}
    taken = Migration(newest + 2, "taken", "CREATE FUNCTION taken() RETURNS int LANGUAGE sql AS 'SELECT 1';")
    migrate(database, [*migrations(), added, taken])
    with pytest.raises(SchemaTooNew, match="taken"):
        lambdas.load(lambdas.event_of(f"archive/{key}.json"))
