"""The functions as they are called on AWS: vendor, S3, Secrets Manager emulated; PostgreSQL real."""

import datetime as dt
import json
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.fetching.lambda_functions import daily_meta_fetcher
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import (
    ArchiveError,
    ArchiveUnavailable,
    DatabaseUnavailable,
    InputError,
    NotASession,
    OutOfTime,
    RebuildRuns,
    SchemaTooOld,
    SettingsError,
    UsageError,
    VendorRefused,
    VendorUnavailable,
)
from tests.support.aws.emulated import ARCHIVE, BUCKET
from tests.support.aws.lambdas import EVENTS, NOW, SECRET
from tests.support.emulators.massive import KEY
from tests.support.emulators.yahoo import YahooEmulator
from tests.support.emulators.yahoo.sample import sample_histories
from tests.support.naive.database import differences

BEFORE = dt.datetime(2024, 4, 12, 23, tzinfo=dt.UTC)
SESSIONS = [dt.date(2024, 5, day) for day in (31, 30, 29, 28, 24, 23, 22, 21, 20, 17)]
"""The ten newest that have closed by then, newest first; 05-27 was Memorial Day."""


def lines(capsys):
    """Return what was written to CloudWatch since the last look: log lines and metrics."""
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [one for one in told if "_aws" not in one], [one for one in told if "_aws" in one]


def bars(url):
    with Database(url) as database, database.transaction(read_only=True) as connection:
        return connection.execute(
            "SELECT session, symbol, open, close, volume FROM daily_bars JOIN sessions USING (ordinal) "
            "JOIN symbols ON symbols.instrument_id = daily_bars.instrument_id AND valid_from <= session "
            "AND session <= valid_to ORDER BY 1, 2"
        ).fetchall()


def test_the_schedule_archives_the_newest_sessions_and_the_next_one_nothing_new(lambdas, vendor):
    answer = lambdas.fetch()
    assert [key.split("/")[2] for key in answer["archived"]] == [one.isoformat() for one in SESSIONS]
    assert (answer["unavailable"], answer["left"]) == ({}, [])
    assert answer["correlation_id"] == "ohlcv_after_close/2024-06-03T21:15:00Z"
    again = lambdas.fetch()
    assert again["archived"] == answer["archived"][:3]
    assert sorted(lambdas.archive.keys()) == sorted(answer["archived"])
    assert vendor.calls == {"grouped": 13}


def test_from_the_vendor_to_the_database_and_every_event_says_what_changed(
    lambdas, url, lambda_market, database, sessions
):
    lambdas.fetch()
    lambdas.fetch_meta({"start": "2024-04-01", "end": "2024-05-31"})
    answers = lambdas.load_all()
    assert [one["changed"] for one in answers[::2]] == [0] * (len(answers) // 2)
    assert answers[1]["changed"] > 0
    truth = {
        (session, symbol, open_, close)
        for session in SESSIONS
        for symbol, open_, close in truth_of(lambda_market, session)
    }
    stored = bars(url)
    assert {(session, symbol, open_, close) for session, symbol, open_, close, _ in stored} == truth
    resample(database, sessions)
    with database.transaction() as connection:
        assert differences(connection) == []


def test_the_renames_of_whom_the_reference_shows_under_a_new_symbol_are_asked_for(
    lambdas, vendor, url, monkeypatch
):
    """The market's Facebook becomes Meta in the middle of it: one series of two symbols, in the database."""
    monkeypatch.setattr(daily_meta_fetcher, "utc_now", lambda: BEFORE)
    vendor.knobs.now = BEFORE
    first = lambdas.fetch_meta({"start": "2024-04-01", "end": "2024-04-12"})
    assert {key.split("/")[1] for key in first["archived"]} == {"splits", "dividends", "instruments"}
    assert "events" not in vendor.calls
    vendor.knobs.now = NOW
    again = lambdas.fetch_meta({"start": "2024-04-01", "end": "2024-05-31", "symbols": ["META"]})
    assert [key.split("/")[1] for key in again["archived"]][-3:] == ["instruments", "instruments", "symbols"]
    told = lambdas.archive.read(again["archived"][-1]).content
    assert b'"META"' in told
    assert b'"FB"' in told
    asked = vendor.calls["events"]
    assert 0 < asked < 30
    lambdas.fetch_meta({"start": "2024-04-01", "end": "2024-05-31"})
    assert vendor.calls["events"] == 2 * asked
    lambdas.fetch()
    lambdas.load_all()
    with Database(url) as database, database.transaction(read_only=True) as connection:
        carried = connection.execute(
            "SELECT symbol FROM symbols WHERE instrument_id = (SELECT instrument_id FROM symbols "
            "WHERE symbol = 'META' AND valid_to > '2024-05-31') ORDER BY valid_from"
        ).fetchall()
    assert carried == [("FB",), ("META",)]


def truth_of(lambda_market, session):
    rows = lambda_market.bars(session, NOW, otc=False, source="rest")
    return zip(rows.symbol.tolist(), rows.open.tolist(), rows.close.tolist(), strict=True)


def test_an_event_that_comes_again_changes_nothing(lambdas, url):
    lambdas.fetch({"sessions": ["2024-05-31", "2024-05-30"]})
    lambdas.load_all()
    before = bars(url)
    assert {word for one in lambdas.load_all() for word in one["keys"].values()} == {"loaded already"}
    assert bars(url) == before != []


def test_of_a_session_the_newest_answer_counts_in_whatever_order_the_events_come(lambdas, vendor, url):
    lambdas.fetch({"sessions": ["2024-05-31"]})
    vendor.knobs.now = NOW + dt.timedelta(days=2)
    vendor.knobs.extra_rows = {"2024-05-31": [extra("LATE", 7.0)]}
    lambdas.fetch({"sessions": ["2024-05-31"]})
    older, newer = list(lambdas.archive.keys())
    lambdas.load({"keys": [newer]})
    late = lambdas.load({"keys": [older]})
    assert late["keys"] == {older: "passed over"}
    assert [row[1:4] for row in bars(url) if row[1] == "LATE"] == [("LATE", 7.0, 7.0)]


def extra(symbol, price):
    return {
        "T": symbol,
        "o": price,
        "h": price,
        "l": price,
        "c": price,
        "v": 1.0,
        "n": 1,
        "vw": price,
        "t": 1717185600000,
    }


def test_two_at_once_load_a_session_once(lambdas, url):
    (key,) = lambdas.fetch({"sessions": ["2024-05-31"]})["archived"]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambdas.load, [{"keys": [key]}] * 2))
    assert sorted(answer["keys"][key] for answer in answers) == ["loaded", "loaded already"]
    assert len(bars(url)) == len(set(bars(url))) > 0


def test_logs_and_metrics_bear_the_correlation_id_from_fetch_to_load(lambdas, capsys):
    capsys.readouterr()
    (key,) = lambdas.fetch({"sessions": ["2024-05-31"], "correlation_id": "by hand 7"})["archived"]
    log, metrics = lines(capsys)
    assert {one["correlation_id"] for one in log if one["message"] != "started"} == {"by hand 7"}
    assert KEY not in json.dumps(log)
    assert metrics[0]["VendorCalls"] == [1.0]
    assert metrics[0]["SessionsArchived"] == [1.0]
    answer = lambdas.load(lambdas.event_of(f"archive/{key}.json"))
    assert answer["correlation_id"] == "by hand 7"
    log, (told,) = lines(capsys)
    assert {one["correlation_id"] for one in log} == {"by hand 7"}
    directive = told["_aws"]["CloudWatchMetrics"][0]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Condvest/test", [["service"]])
    assert told["service"] == "archive_loader"
    assert told["RowsLoaded"] == [float(answer["inserted"])]
    assert (told["SessionsMissing"], told["StalenessHours"]) == ([0.0], [0.0])


def test_staleness_is_the_age_of_the_oldest_session_that_is_missing(lambdas, capsys):
    """05-30 is missing; it closed at 20:00 UTC, 88 hours before the Monday's noon."""
    for session in ("2024-05-29", "2024-05-31"):
        (key,) = lambdas.fetch({"sessions": [session]})["archived"]
        capsys.readouterr()
        lambdas.load({"keys": [key]})
    _, (told,) = lines(capsys)
    assert (told["SessionsMissing"], told["StalenessHours"]) == ([1.0], [88.0])


@pytest.mark.parametrize("event", [{}, None, [], {"session": "2024-05-31"}, {"keys": []}])
def test_what_is_no_event_raises_and_touches_nothing(lambdas, vendor, event):
    with pytest.raises(InputError, match="take"):
        lambdas.fetch(event if event is not None else [None])
    with pytest.raises(InputError, match="take"):
        lambdas.load(event)
    assert vendor.calls == {}


@pytest.mark.parametrize("session", ["2024-06-03", "2024-05-27", "2030-01-02"])
def test_what_is_no_closed_session_is_not_asked_for(lambdas, vendor, session):
    with pytest.raises(NotASession, match=session):
        lambdas.fetch({"sessions": [session, "2024-05-31"]})
    assert vendor.calls == {}


def test_an_event_of_another_bucket_or_prefix_is_refused(lambdas):
    event = lambdas.event_of("archive/a/b/c/d.json")
    event["detail"] = event["detail"] | {"bucket": {"name": "foreign"}}
    with pytest.raises(ArchiveError, match="the bucket foreign"):
        lambdas.load(event)
    with pytest.raises(ArchiveError, match="does not lie in the archive"):
        lambdas.load(lambdas.event_of("elsewhere/a.json"))


def test_an_object_that_is_gone_or_cut_off_raises_and_stores_nothing(lambdas, url):
    first, second = lambdas.fetch({"sessions": ["2024-05-31", "2024-05-30"]})["archived"]
    lambdas.s3.delete_object(Bucket=BUCKET, Key=f"archive/{first}.zst")
    with pytest.raises(ArchiveError, match="nothing under that key"):
        lambdas.load(lambdas.event_of(f"archive/{first}.json"))
    whole = lambdas.s3.get_object(Bucket=BUCKET, Key=f"archive/{second}.zst")["Body"].read()
    lambdas.s3.put_object(Bucket=BUCKET, Key=f"archive/{second}.zst", Body=whole[:-100])
    with pytest.raises(ArchiveError, match="is damaged"):
        lambdas.load(lambdas.event_of(f"archive/{second}.json"))
    lambdas.s3.put_object(Bucket=BUCKET, Key=f"archive/{second}.json", Body=b'{"provider": "massive"}')
    with pytest.raises(ArchiveError, match="description"):
        lambdas.load(lambdas.event_of(f"archive/{second}.json"))
    assert bars(url) == []


def test_a_bad_message_of_a_batch_comes_again_and_the_good_ones_do_not(lambdas, url):
    good, gone = lambdas.fetch({"sessions": ["2024-05-31", "2024-05-30"]})["archived"]
    lambdas.s3.delete_object(Bucket=BUCKET, Key=f"archive/{gone}.zst")
    batch = json.loads((EVENTS / "sqs_batch.json").read_text())
    (template,) = batch["Records"]
    bodies = {"1": json.dumps({"keys": [gone]}), "2": json.dumps({"keys": [good]}), "3": "no JSON"}
    batch["Records"] = [template | {"messageId": name, "body": body} for name, body in bodies.items()]
    answer = lambdas.load(batch)
    assert answer["batchItemFailures"] == [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]
    assert answer["keys"] == {good: "loaded"}
    assert {row[0] for row in bars(url)} == {SESSIONS[0]}


def test_nothing_is_loaded_beside_a_rebuild(lambdas, url):
    """Neither while it runs nor after it was stopped; its event comes again, and is loaded in its order."""
    first, second = lambdas.fetch({"sessions": ["2024-05-31", "2024-05-30"]})["archived"]
    with (
        Database(url) as other,
        other.locked("condvest rebuild"),
        pytest.raises(RebuildRuns, match="condvest rebuild runs in this database; when it has ended, load"),
    ):
        lambdas.load({"keys": [first]})
    assert bars(url) == []
    lambdas.load({"keys": [first]})
    before = bars(url)
    with Database(url) as other, other.transaction() as connection:
        connection.execute("INSERT INTO runs (command) VALUES ('rebuild')")
    with pytest.raises(UsageError, match="run condvest rebuild again, it goes on; then load this again"):
        lambdas.load({"keys": [second]})
    assert bars(url) == before
    with Database(url) as other, other.transaction() as connection:
        connection.execute("UPDATE runs SET exit_code = 0, finished_at = now()")
    assert lambdas.load({"keys": [second]})["keys"] == {second: "loaded"}


def test_out_of_time_the_fetcher_says_what_is_left_and_the_next_one_goes_on(lambdas, vendor, monkeypatch):
    """Time for two sessions: after the second nothing more is asked for."""
    asked = iter([True, False])
    monkeypatch.setattr(
        "condvest.batch_layer.fetching.lambda_functions.deadline.Deadline.has_time", lambda _: next(asked)
    )
    answer = lambdas.fetch({"sessions": ["2024-05-31", "2024-05-30", "2024-05-29"]})
    assert [key.split("/")[2] for key in answer["archived"]] == ["2024-05-31", "2024-05-30"]
    assert answer["left"] == ["2024-05-29"]
    assert vendor.calls == {"grouped": 2}


def test_out_of_time_between_symbols_the_fetcher_names_those_that_are_left(lambdas, monkeypatch):
    """Yahoo is asked symbol by symbol: time for two of four."""
    asked = iter([True, False])
    monkeypatch.setattr(
        "condvest.batch_layer.fetching.lambda_functions.deadline.Deadline.has_time", lambda _: next(asked)
    )
    with YahooEmulator(histories=sample_histories(), now=dt.datetime(2013, 3, 4, 12, tzinfo=dt.UTC)) as yahoo:
        lambdas.setenv("CONDVEST_PROVIDER", "yahoo")
        lambdas.setenv("CONDVEST_YAHOO_BASE_URL", yahoo.url)
        answer = lambdas.fetch({"sessions": ["2013-02-28"], "symbols": ["AAPL", "IBM", "MSFT", "GOOG"]})
    assert len(answer["archived"]) == 2
    assert answer["left"] == ["MSFT", "GOOG"]


def test_out_of_time_in_a_step_the_metadata_fetcher_names_it_and_those_after_it(lambdas, monkeypatch):
    """The actions are two lists; time for the first of them alone leaves the dividends unasked."""
    asked = iter([True, False, False, False, False])
    monkeypatch.setattr(
        "condvest.batch_layer.fetching.lambda_functions.deadline.Deadline.has_time", lambda _: next(asked)
    )
    answer = lambdas.fetch_meta({"start": "2024-04-01", "end": "2024-05-31"})
    assert [key.split("/")[1] for key in answer["archived"]] == ["splits"]
    assert answer["left"] == ["actions", "reference", "details", "renames"]


def test_a_vendor_that_never_answers_is_broken_off_in_time(lambdas, vendor):
    """Lambda would kill the function after 10 s and lose its log: it ends before, and raises."""
    vendor.knobs.faults = 1.0
    vendor.knobs.fault_names = ("UNAVAILABLE_HTML",)
    began = time.monotonic()
    with pytest.raises((OutOfTime, VendorUnavailable)):
        lambdas.fetch({"sessions": ["2024-05-31"]}, seconds=10)
    assert time.monotonic() - began < 10
    assert list(lambdas.archive.keys()) == []


def test_a_refused_key_raises_and_is_asked_for_anew(lambdas):
    secrets = boto3.client("secretsmanager")
    secrets.put_secret_value(SecretId=SECRET, SecretString="an-old-key")
    with pytest.raises(VendorRefused):
        lambdas.fetch({"sessions": ["2024-05-31"]})
    secrets.put_secret_value(SecretId=SECRET, SecretString=KEY)
    assert len(lambdas.fetch({"sessions": ["2024-05-31"]})["archived"]) == 1
    secrets.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    assert len(lambdas.fetch({"sessions": ["2024-05-30"]})["archived"]) == 1  # asked for once a container
    aws.forget_secrets()
    with pytest.raises(SettingsError, match=f"the secret {SECRET}: there is nothing of that name"):
        lambdas.fetch({"sessions": ["2024-05-29"]})


@pytest.mark.parametrize("text", [" ", "{}", '{"other": "x"}', '{"api_key": ""}'])
def test_a_secret_without_a_key_is_named(lambdas, text):
    boto3.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=text)
    with pytest.raises(SettingsError, match=SECRET):
        lambdas.fetch({"sessions": ["2024-05-31"]})


def test_a_session_that_is_not_ready_is_no_failure(lambdas, vendor):
    vendor.knobs.plan = "basic"
    vendor.knobs.now = dt.datetime(2024, 5, 31, 22, tzinfo=dt.UTC)
    answer = lambdas.fetch({"sessions": ["2024-05-31"]})
    assert answer["archived"] == []
    assert list(answer["unavailable"]) == ["2024-05-31"]


def test_every_passing_fault_of_the_vendor_ends_in_the_right_bytes(lambdas, vendor, url, lambda_market):
    vendor.knobs.faults = 0.5
    vendor.knobs.fault_names = ("TRUNCATED_TEXT", "RESULTS_MISSING", "OTHER_SESSION")
    lambdas.fetch({"sessions": ["2024-05-31"]})
    lambdas.load_all()
    assert {row[1:4] for row in bars(url)} == set(truth_of(lambda_market, SESSIONS[0]))


def test_a_database_at_another_schema_is_left_alone(lambdas, server):
    (key,) = lambdas.fetch({"sessions": ["2024-05-31"]})["archived"]
    empty = server.empty_database()
    try:
        lambdas.setenv("CONDVEST_DATABASE_URL", empty)
        with pytest.raises(SchemaTooOld, match="condvest db migrate"):
            lambdas.load({"keys": [key]})
    finally:
        server.drop(empty)


def test_a_database_that_is_asleep_is_a_passing_failure(lambdas):
    (key,) = lambdas.fetch({"sessions": ["2024-05-31"]})["archived"]
    lambdas.setenv("CONDVEST_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailable):
        lambdas.load({"keys": [key]})


def test_a_lock_that_is_held_elsewhere_does_not_outlast_the_time(lambdas, url):
    """Somebody holds the loader's lock and does not let go: the call ends by its own error, in time."""
    (key,) = lambdas.fetch({"sessions": ["2024-05-31"]})["archived"]
    with Database(url) as other, other.locked("condvest archive loader"):
        began = time.monotonic()
        with pytest.raises(OutOfTime):
            lambdas.load({"keys": [key]}, seconds=6)
        assert time.monotonic() - began < 6
    assert lambdas.load({"keys": [key]})["keys"] == {key: "loaded"}


def test_s3_that_does_not_answer_is_a_passing_failure(lambdas, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    aws.client.cache_clear()
    aws.credentials.cache_clear()
    with pytest.raises(ArchiveUnavailable, match="try again"):
        lambdas.load({"keys": ["massive/daily_bars/2024-05-31/x.json"]})


def test_settings_that_are_missing_are_named(lambdas):
    lambdas.setenv("CONDVEST_ARCHIVE", "")
    with pytest.raises(SettingsError, match="CONDVEST_ARCHIVE"):
        lambdas.fetch()
    lambdas.setenv("CONDVEST_ARCHIVE", ARCHIVE)
    lambdas.setenv("CONDVEST_DATABASE_URL", "")
    with pytest.raises(SettingsError, match="CONDVEST_DATABASE_URL"):
        lambdas.load({"keys": ["a/b/c/d.json"]})
    lambdas.setenv("CONDVEST_PROVIDER", "sample")
    with pytest.raises(Exception, match="massive or yahoo"):
        lambdas.fetch({"sessions": ["2024-05-31"]})
