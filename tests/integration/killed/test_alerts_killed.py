"""kill -9 of the collector, of who gives verdicts, of the deliverer, of the server: one verdict per firing.

To be in the midst is arranged, not guessed, as in test_killed_commands: a trigger makes the process wait for
a lock that the test has, after it has written.
"""

import contextlib
import datetime as dt
import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from condvest.speed_layer.core.alerts.rules import Cooldown
from tests.support.awaiting import wait_for
from tests.support.emulators.httpd import Reply, Server
from tests.support.gate import GATE, WAITING
from tests.support.worlds.alert_process import start
from tests.support.worlds.alerted import Alerted, day

CONDVEST = Path(sys.executable).with_name("condvest")
SECRET = "whsec_" + "A" * 40
STEPS = [
    ("10:00", {"A": day(), "B": day()}),
    ("10:01", {"A": day(close=10.5), "B": day()}),
    ("10:02", {"A": day(close=10.5), "B": day(close=10.4)}),
]

STEPS_AT_NIGHT = ("deliver", "verdicts")
PACED = {"fires": "bar", "once": "minute", "cooldown": Cooldown(30, "minutes"), "rearm_text": "2%"}


@pytest.fixture
def receiver():
    server = Server(lambda request: keep(server, request))
    server.came = []
    server.start()
    yield server
    server.stop()


def keep(server, request):
    server.came.append((request.headers["webhook-id"], json.loads(request.body)["data"]["state"]))
    return Reply(status=200)


@pytest.fixture
def alerted(world, receiver):
    made = Alerted(world, sessions_before=2)
    made.rule("close(1) > 10.2", webhooks=[(f"http://127.0.0.1:{receiver.port}/", SECRET)])
    return made


@contextlib.contextmanager
def killed_in_the_midst(alerted, what, change, steps=()):
    """Start a step, kill it when it has made a change (``INSERT ON alert_events``) and not committed it."""
    looking = alerted.world.looking
    looking.execute(
        "CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NULL; END$$; "
        f"CREATE TRIGGER gate AFTER {change} FOR EACH STATEMENT EXECUTE FUNCTION gate()"
    )
    looking.execute("SELECT pg_advisory_lock(%s)", (GATE,))
    process = start(alerted, what, steps)
    wait_for(lambda: alerted.world.number(WAITING), process)
    process.kill()
    process.wait()
    looking.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
    gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    while alerted.world.number(gone, f"condvest (process {process.pid})"):
        continue
    yield
    looking.execute("DROP FUNCTION gate CASCADE")


def finish(alerted, what, steps=()):
    process = start(alerted, what, steps)
    assert process.wait(120) == 0


def check_verdicts(alerted):
    """Every firing has exactly one verdict, and no verdict is without one."""
    counts = alerted.world.ask(
        "SELECT count(*) FILTER (WHERE state = 'fired'), count(*) FILTER (WHERE state <> 'fired') "
        "FROM alert_events GROUP BY coalesce(fired_id, event_id)"
    )
    assert counts
    assert set(counts) == {(1, 1)}


def test_each_firing_has_one_verdict_and_arrives_whoever_is_killed(alerted, receiver):
    with killed_in_the_midst(alerted, "collect", "INSERT ON alert_events", STEPS):
        assert alerted.events() == []
        assert alerted.world.ask("SELECT max(close) FROM live_daily_bars") == [(10.0,)]
    alerted.collect(*STEPS[1:])
    assert [row[:2] for row in alerted.events()] == [("fired", "A"), ("fired", "B")]
    alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 10.6})
    with killed_in_the_midst(alerted, "verdicts", "INSERT ON alert_deliveries"):
        assert len(alerted.events()) == 2
    alerted.verdicts()
    alerted.verdicts()
    check_verdicts(alerted)
    with killed_in_the_midst(alerted, "deliver", "UPDATE OF delivered_at ON alert_deliveries"):
        assert (
            alerted.world.number("SELECT count(*) FROM alert_deliveries WHERE delivered_at IS NOT NULL") == 0
        )
    came = list(receiver.came)
    alerted.world.looking.execute("UPDATE alert_deliveries SET next_at = now() WHERE next_at IS NOT NULL")
    finish(alerted, "deliver")
    assert receiver.came[len(came) :] == came  # the same ids, once more
    assert [state for _, state in came] == ["fired", "fired", "confirmed", "withdrawn"]


def test_a_kill_neither_re_arms_a_rule_nor_ends_its_cooldown(alerted):
    """It fired at 10:01. What re-arms it at 10:03 is not committed, and nothing else remembers it."""
    name = alerted.rule("close(1) > 10.1", "paced", **PACED)
    alerted.collect(*[(clock, {"A": day(close=close)}) for clock, close in (("10:00", 10), ("10:01", 10.5))])
    steps = [("10:02", {"A": day(close=10.0)}), ("10:03", {"A": day(close=9.8)})]
    alerted.world.looking.execute("UPDATE alert_rules SET removed_at = now() WHERE name = 'rule'")
    with killed_in_the_midst(alerted, "collect", "INSERT ON alert_states", steps):
        assert alerted.world.ask("SELECT max(close) FROM live_daily_bars") == [(10.0,)]
    after = [
        ("10:40", 10.5),
        ("10:41", 9.8),
        ("10:42", 10.5),
        ("10:43", 9.8),
        ("11:11", 10.5),
        ("11:12", 9.8),
    ]
    for clock, close in [*after, ("11:13", 10.5)]:
        alerted.collect((clock, {"A": day(close=close)}))
    clock = "to_char(data_through AT TIME ZONE 'America/New_York', 'HH24:MI')"
    fired = alerted.world.ask(f"SELECT {clock} FROM alert_events WHERE rule_id = %s ORDER BY event_id", name)
    assert fired == [("10:01",), ("10:42",), ("11:13",)]


def test_a_client_of_a_killed_server_misses_nothing(alerted, tmp_path):
    """It comes back to another server with the last id it saw."""
    alerted.collect(*STEPS)
    alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 10.6})
    alerted.verdicts()
    where = ("--home", tmp_path, "--database-url", alerted.world.url)
    seen = []
    for until in (1, 4):
        command = [CONDVEST, *map(str, where), "serve", "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            address = next(word for word in process.stderr.readline().split() if word.startswith("http://"))
            last = {"Last-Event-ID": str(seen[-1] if seen else 0)}
            with httpx.stream("GET", f"{address}/v1/events", headers=last, timeout=30) as answer:
                lines = answer.iter_lines()
                while len(seen) < until:
                    line = next(lines)
                    seen += [int(line[4:])] if line.startswith("id: ") else []
                process.kill()
    assert seen == [1, 2, 3, 4]


@pytest.mark.long
def test_forty_kills_at_random_moments(alerted, receiver):
    """Collectors, verdicts and deliverers, each killed after a random time; then each once to its end."""
    alerted.rule("close(1) > 10.2", "paced", [(f"http://127.0.0.1:{receiver.port}/", SECRET)], **PACED)
    random_ = random.Random(24)
    steps = [
        (f"{10 + minute // 60}:{minute % 60:02}", {"A": day(close=9.9 + 0.5 * (minute % 3)), "B": day()})
        for minute in range(60)
    ]
    for kill in range(40):
        what = (
            ("collect", "deliver", "verdicts")[kill % 3] if kill < 30 else ("deliver", "verdicts")[kill % 2]
        )
        if kill == 30:
            finish(alerted, "collect", steps)
            alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 10.6})
        process = start(alerted, what, steps)
        threading.Event().wait(random_.uniform(0.5, 4.0))
        process.kill()
        process.wait()
    finish(alerted, "verdicts")
    alerted.world.looking.execute("UPDATE alert_deliveries SET next_at = now() WHERE next_at IS NOT NULL")
    finish(alerted, "deliver")
    check_verdicts(alerted)
    paced = alerted.world.ask(
        "SELECT data_through - lag(data_through) OVER (ORDER BY event_id) FROM alert_events "
        "JOIN alert_rules USING (rule_id) WHERE name = 'paced' AND state = 'fired'"
    )
    assert len(paced) > 1
    assert all(rest >= dt.timedelta(minutes=30) for (rest,) in paced[1:])
    assert alerted.world.number("SELECT count(*) - count(delivered_at) FROM alert_deliveries") == 0
    assert {message_id for message_id, _ in receiver.came} == {
        f"evt_{event_id}" for (event_id,) in alerted.world.ask("SELECT event_id FROM alert_events")
    }
