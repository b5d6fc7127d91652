"""Events to a webhook at 1,000 a minute: seconds from when each was due to when it came, and the limit.

A rule's events are committed at even intervals for a while, each in a transaction of its own; a deliverer
beside sends them to a receiver on this machine. A receiver that is late because the machine is busy is late
here, too: seconds count from the instant at which an event was due, so nothing waits unseen.
"""

import ipaddress
import json
import threading
import time

import numpy as np

from benchmarks.report import Figure
from benchmarks.stored import workspace
from condvest.speed_layer.core.alerts.rules import Rule
from condvest.speed_layer.services.alerts.deliver import Deliverer
from condvest.speed_layer.stores.events import Event, lock_events, write_events
from condvest.speed_layer.stores.rules import Webhook, add_rule
from condvest.speed_layer.webhooks.posting import Poster
from condvest.speed_layer.webhooks.signing import new_secret
from tests.support.emulators.httpd import Reply, Server

EVENTS, A_MINUTE = 300, 1000
HERE = (ipaddress.ip_network("127.0.0.0/8"),)
LIMIT_SECONDS = 1.0


def run(_options):
    """Yield the median and the 99th percentile of the seconds to the receiver, and the limit."""
    arrived, has_all = {}, threading.Event()

    def receive(request):
        arrived.setdefault(json.loads(request.body)["data"]["bar_window"], time.perf_counter())
        if len(arrived) == EVENTS:
            has_all.set()
        return Reply(200, b"")

    server = Server(receive)
    server.start()
    with workspace() as opened, opened.database.another() as own:
        with opened.database.transaction() as connection:
            url = f"http://127.0.0.1:{server.port}/"
            rule_id = add_rule(connection, Rule(0, "bench", "close(1) > 1"), [Webhook(url, new_secret())])
        stop = threading.Event()
        deliverer = threading.Thread(target=Deliverer(own, Poster(HERE)).run_until, args=(stop,))
        deliverer.start()
        due = commit_all(opened.database, rule_id)
        assert has_all.wait(120)
        stop.set()
        deliverer.join()
    server.stop()
    seconds = np.array([arrived[number] - due[number] for number in range(EVENTS)])
    slow = float(np.quantile(seconds, 0.99))
    for name, value in (
        ("from due to received, p99", slow),
        ("from due to received, median", float(np.median(seconds))),
        ("the limit of the 99th percentile", LIMIT_SECONDS),
    ):
        bounds = (value, value) if value == LIMIT_SECONDS else (float(seconds.min()), float(seconds.max()))
        shown = [round(each, 4) for each in (value, *bounds)]
        yield Figure(name, EVENTS, *shown, round(value / slow, 3), None)


def commit_all(database, rule_id):
    """Commit the events, one after the other at even intervals; return when each was due."""
    began, due = time.perf_counter() + 1.0, {}
    for number in range(EVENTS):
        due[number] = began + number * 60 / A_MINUTE
        time.sleep(max(due[number] - time.perf_counter(), 0))
        event = Event(rule_id, 1, "A", number, 1, "fired", None, {}, "may vanish")
        with database.transaction() as connection:
            lock_events(connection)
            write_events(connection, [event])
    return due
