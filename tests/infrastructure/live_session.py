"""The session under way of the deployment on the emulator: collected, and held against its trades."""

from __future__ import annotations

import datetime as dt
import json
from zoneinfo import ZoneInfo

import psycopg
from workshop import ROOT

from tests.support.emulators.massive.stream import StreamEmulator

TODAY = dt.date(2024, 6, 3)
PRICES = ("open", "high", "low", "close", "volume")


def new_york(hour, minute):
    return dt.datetime.combine(TODAY, dt.time(hour, minute), ZoneInfo("America/New_York"))


def collect_the_session(machine, instance, vendor, last_session):
    """A rule; the job as it is scheduled, on an emulated stream; a watch; Spot takes the host once."""
    queue, topic = machine.listening(machine.applied("aws_sns_topic", "alerts", "live")["arn"])
    schedule = machine.applied("aws_scheduler_schedule", "this", "live")
    submitted = json.loads(schedule["target"][0]["input"])
    definition = submitted["JobDefinition"]
    with psycopg.connect(instance.local) as connection:
        (symbol,) = connection.execute(
            "SELECT min(symbol) FROM daily_bars JOIN symbols USING (instrument_id) "
            "JOIN sessions USING (ordinal) WHERE session = %s AND session BETWEEN valid_from AND valid_to",
            (last_session,),
        ).fetchone()
    rule = ["condvest", "alerts", "add", "up", "close(1) > 0", "--symbols", symbol, "--at-once"]
    added = {"command": [*rule, "--webhook", f"sns:{topic}"]}
    run(machine, {"jobName": "alerts", "jobDefinition": definition, "containerOverrides": added})

    vendor.knobs.update({"plan": "unlimited", "now": new_york(15, 50), "updated": "trade"})
    with StreamEmulator(vendor) as stream:
        machine.jobs.more = {
            "CONDVEST_MASSIVE_BASE_URL": vendor.url,
            "CONDVEST_MASSIVE_STREAM_URL": stream.url,
            "STAND_IN_CLOCK": vendor.url,
            "STAND_IN_TESTS": str(ROOT),
        }
        watched, job = [], {"jobName": submitted["JobName"], "jobDefinition": definition}
        advance = stream.advance

        def advanced(seconds, port=None):
            """As time passes: at 15:52 a watch, and at 15:54 the host is taken back."""
            if vendor.now() >= new_york(15, 52) and not watched:
                watched.append(None)
                watched[0] = machine.jobs.jobs[machine.jobs.submit(job)]
            if vendor.now() >= new_york(15, 54) and len(watched) == 1:
                watched.append("reclaimed")
                machine.jobs.reclaim()
            return advance(seconds, port)

        def another_host():
            """Takes two minutes to start on, which nobody hears."""
            until = vendor.now() + dt.timedelta(minutes=2)
            while vendor.now() < until:
                advance((until - vendor.now()).total_seconds())

        stream.advance, machine.jobs.before_retry = advanced, another_host
        done = run(machine, job)
        assert done["attempts"] == [143, 0], done["ends"]
        assert (watched[0]["attempts"], "collects into this database" in watched[0]["ends"][0][1]) == (
            [0],
            True,
        )
        words = done["ends"][0][1]
        assert '"LiveDataAgeSeconds"' in watched[0]["ends"][0][1]
        assert '"LiveDataAgeSeconds"' in words
        assert vendor.now() < new_york(16, 52)  # by its own end, 50 minutes after the close
        assert "is over" in run(machine, job)["ends"][0][1]
    machine.jobs.more = {}
    (message,) = machine.came(queue)
    told = json.loads(message["Message"])
    assert (told["type"], told["data"]["symbol"], told["data"]["rule"]) == ("alert.fired", symbol, "up")
    assert message["MessageAttributes"]["symbol"]["Value"] == symbol
    is_as_if_nothing_were(machine, instance, vendor)


def is_as_if_nothing_were(machine, instance, vendor):
    """One gap, of three minutes at most, which is healed; the right prices; copies of the journal."""
    with psycopg.connect(instance.local) as connection:
        gaps = connection.execute(
            "SELECT reason, healed_at IS NOT NULL, extract(epoch FROM gap_to - gap_from) FROM live_gaps"
        ).fetchall()
        assert [(reason, healed) for reason, healed, _ in gaps] == [("restart", True)]
        assert 120 <= gaps[0][2] <= 180
        live, truth = live_rows(connection), true_rows(vendor, connection)
        assert {symbol: row[:4] for symbol, row in live.items()} == {
            symbol: row[:4] for symbol, row in truth.items()
        }
        # Of the date's volume the trades after the end are not there yet.
        assert all(0 < row[4] <= truth[symbol][4] for symbol, row in live.items())
    keys = machine.keys("condvest-dev-archive-123456789012")
    assert len([key for key in keys if key.startswith(f"live/massive/{TODAY}/")]) >= 6
    assert "published/live.parquet" in machine.keys("condvest-dev-published-123456789012")


def run(machine, job):
    """Submit a job and return it, as the stand-in of Batch knows it; it has to succeed."""
    done = machine.jobs.jobs[machine.jobs.submit(job)]
    assert done["status"] == "SUCCEEDED", done["ends"]
    return done


def live_rows(connection):
    rows = connection.execute(
        f"SELECT symbol, {', '.join(PRICES)} FROM live_daily_bars JOIN symbols USING (instrument_id) "
        f"WHERE '{TODAY}' BETWEEN valid_from AND valid_to"
    )
    return {row[0]: row[1:] for row in rows}


def true_rows(vendor, connection):
    """Return what the day's trades come to, of the symbols that an instrument carries; not the late ones."""
    rows = vendor.market.bars(TODAY)
    columns = [getattr(rows, name).tolist() for name in PRICES]
    truth = dict(zip(rows.symbol.tolist(), zip(*columns, strict=True), strict=True))
    unresolved = {symbol for (symbol,) in connection.execute("SELECT symbol FROM live_unresolved")}
    return {symbol: row for symbol, row in truth.items() if symbol not in unresolved}
