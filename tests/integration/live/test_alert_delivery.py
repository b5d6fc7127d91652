"""Webhooks over real HTTP: signed, sent again under the same id, and never to where they must not go."""

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest

from condvest.batch_layer.shared.errors import DatabaseFull
from condvest.speed_layer.services.alerts.deliver import Deliverer
from condvest.speed_layer.webhooks.posting import Poster
from tests.support.databases.authorities import Authority
from tests.support.emulators.httpd import Reply, Server
from tests.support.worlds.alerted import Alerted, day

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
HERE = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def receiver():
    """A receiver that answers with the statuses it is given, then 200, and keeps what came."""
    server = Server(lambda request: received(server, request))
    server.came, server.answers = [], []
    server.start()
    yield server
    server.stop()


def received(server, request):
    server.came.append(request)
    status, headers = server.answers.pop(0) if server.answers else (200, {})
    return Reply(status=status, headers=headers, body=b"thanks")


@pytest.fixture
def alerted(world, receiver):
    """A rule that has fired for A and B, with a webhook on the receiver."""
    made = Alerted(world, sessions_before=2)
    made.rule("close(1) > 10.2", webhooks=[(f"http://127.0.0.1:{receiver.port}/hook", SECRET)])
    made.collect(("10:00", {"A": day(), "B": day()}), ("10:01", {"A": day(close=10.5), "B": day(close=10.4)}))
    return made


def deliver(alerted, networks=HERE, **how):
    said = []
    with alerted.world.workspace.database.another() as database:
        done = Deliverer(database, Poster(networks, **how), say=said.append).once()
    return (done.delivered, done.failed), said


def outbox(alerted):
    return alerted.world.ask(
        "SELECT attempts, delivered_at IS NOT NULL, next_at IS NOT NULL, last_error FROM alert_deliveries "
        "ORDER BY event_id"
    )


def make_due(alerted):
    alerted.world.looking.execute("UPDATE alert_deliveries SET next_at = now() WHERE next_at IS NOT NULL")


def verify(request):
    """The receiver's side of the specification, written anew."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    digest = hmac.new(base64.b64decode(SECRET[6:]), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    return headers["webhook-id"], json.loads(request.body)


def test_events_arrive_signed_and_in_order_and_once(alerted, receiver):
    assert deliver(alerted) == ((2, 0), [])
    assert deliver(alerted) == ((0, 0), [])
    alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 10.6})
    alerted.verdicts()
    assert deliver(alerted)[0] == (2, 0)
    came = [verify(request) for request in receiver.came]
    assert [message_id for message_id, _ in came] == [f"evt_{number}" for number in (1, 2, 3, 4)]
    assert [(body["type"], body["data"]["symbol"]) for _, body in came] == [
        ("alert.fired", "A"),
        ("alert.fired", "B"),
        ("alert.confirmed", "A"),
        ("alert.withdrawn", "B"),
    ]
    assert came[2][1]["data"]["fired_id"] == 1
    assert [row[:3] for row in outbox(alerted)] == [(1, True, False)] * 4


def test_what_is_not_taken_is_sent_again_under_the_same_id(alerted, receiver):
    """503, then a redirect, which is not followed; the event behind it waits, and neither is lost."""
    receiver.answers = [(503, {"Retry-After": "7200"}), (302, {"Location": "http://127.0.0.1:1/"})]
    assert deliver(alerted)[0] == (0, 1)
    ((attempts, delivered, waits, error), (other, *_)) = outbox(alerted)
    assert (attempts, delivered, waits, other) == (1, False, True, 0)
    assert error == "the receiver answered 503"
    assert alerted.world.ask(
        "SELECT min(next_at) > now() + interval '110 minutes' FROM alert_deliveries"
    ) == [(True,)]
    make_due(alerted)
    assert "redirects are not followed" in deliver(alerted)[1][0]
    make_due(alerted)
    assert deliver(alerted)[0] == (2, 0)
    assert [verify(request)[0] for request in receiver.came] == ["evt_1", "evt_1", "evt_1", "evt_2"]


def test_a_receiver_that_is_gone_for_good_is_given_up_and_a_removed_rule_sends_nothing(alerted, receiver):
    receiver.answers = [(410, {})]
    said = deliver(alerted)[1]
    assert said == ["webhook 1, event 1: the receiver answered 410; given up"]
    assert outbox(alerted)[0][1:3] == (False, False)


@contextmanager
def odd_receiver(answer):
    """A server that takes a connection and does what a receiver should not."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def serve():
            listening.settimeout(0.05)
            while not stop.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    answer(connection, stop)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            stop.set()
            thread.join()


def drip(connection, stop):
    """Headers, a byte at a time, without end."""
    connection.settimeout(5)
    connection.recv(65536)
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not stop.wait(0.02):
            connection.sendall(b"x")
    except OSError:
        return


def mute(connection, stop):
    """It never answers."""
    connection.settimeout(0.05)
    while not stop.is_set():
        try:
            if not connection.recv(65536):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def endless(connection, stop):
    """An answer whose body never ends: it is not read."""
    connection.settimeout(5)
    connection.recv(65536)
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not stop.is_set():
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    except OSError:
        return


def no_http(connection, _):
    connection.settimeout(5)
    connection.recv(65536)
    connection.sendall(b"220 mail.example ESMTP\r\n")


@pytest.mark.parametrize(
    ("answer", "error"), [(drip, "Timeout"), (mute, "Timeout"), (endless, None), (no_http, "Protocol")]
)
def test_an_odd_receiver_costs_an_attempt_and_no_more(answer, error):
    with odd_receiver(answer) as url:
        outcome = Poster(HERE, deadline=0.5).post(url, {}, b"{}")
    if error is None:
        assert (outcome.status, outcome.error) == (200, None)
    else:
        assert error in outcome.error
        assert not outcome.is_final


@pytest.mark.parametrize(
    ("addresses", "networks", "words"),
    [
        (["127.0.0.1"], (), "not a public address"),
        (["8.8.8.8", "169.254.169.254"], (), "not a public address"),
        (["::ffff:127.0.0.1"], (), "not a public address"),
        (["8.8.8.8"], HERE, "by https alone"),
        ([], (), "has no address"),
    ],
)
def test_a_name_that_resolves_to_what_must_not_be_reached_is_refused(addresses, networks, words):
    """Whatever it resolved to when the rule was added: it is looked at in each attempt, and all of them."""

    def resolve(host, port):
        assert (host, port) == ("hook.example", 8080)
        return [ipaddress.ip_address(address) for address in addresses]

    outcome = Poster(networks, resolve).post("http://hook.example:8080/", {}, b"{}")
    assert outcome.status is None
    assert words in outcome.error


def test_a_name_is_connected_to_at_the_address_that_was_checked(receiver):
    """The name goes into the header Host, and is not resolved again."""
    asked = []

    def resolve(host, _):
        asked.append(host)
        return [ipaddress.ip_address("127.0.0.1")]

    outcome = Poster(HERE, resolve).post(f"http://hook.example:{receiver.port}/x?y=1", {"A": "b"}, b"{}")
    assert (outcome.status, asked) == (200, ["hook.example"])
    (request,) = receiver.came
    assert request.headers["host"] == f"hook.example:{receiver.port}"


def test_an_outbox_on_a_full_disk_loses_nothing(alerted, receiver):
    """The event was taken, and that cannot be noted: it is sent again under its id."""
    alerted.world.looking.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER full_disk BEFORE UPDATE OF delivered_at ON alert_deliveries "
        "FOR EACH ROW EXECUTE FUNCTION full_disk()"
    )
    with pytest.raises(DatabaseFull):
        deliver(alerted)
    alerted.world.looking.execute("DROP FUNCTION full_disk CASCADE")
    make_due(alerted)
    assert deliver(alerted)[0] == (2, 0)
    assert [verify(request)[0] for request in receiver.came] == ["evt_1", "evt_2", "evt_1", "evt_2"]


def test_tls_is_verified_by_the_authorities_that_are_trusted_and_by_name(receiver, tmp_path):
    """A private authority vouches; without trust in it, or under another name, nothing is sent."""
    ours, strangers = Authority.made(tmp_path / "ours.pem"), Authority.made(tmp_path / "strangers.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.certificate(tmp_path, "127.0.0.1"))
    receiver.use_tls(context)

    def posted(authority, host="127.0.0.1"):
        trust = ssl.create_default_context(cafile=authority.path) if authority else None
        poster = Poster(HERE, lambda *_: [ipaddress.ip_address("127.0.0.1")], trust=trust)
        return poster.post(f"https://{host}:{receiver.port}/hook", {}, b"{}")

    assert posted(ours).status == 200
    for outcome in (posted(strangers), posted(None), posted(ours, "hook.example")):
        assert outcome.status is None
        assert "certificate verify failed" in outcome.error
        assert not outcome.is_final
    assert [request.body for request in receiver.came] == [b"{}"]


def test_a_notice_wakes_the_deliverer(alerted, receiver, monkeypatch):
    """An event is delivered though the next look would be an hour away."""
    monkeypatch.setattr("condvest.speed_layer.services.alerts.deliver.LOOK_EVERY", 3600.0)
    has_come, answered = threading.Semaphore(0), receiver.answer
    receiver.answer = lambda request: (answered(request), has_come.release())[0]
    stop = threading.Event()
    with alerted.world.workspace.database.another() as database:
        deliverer = threading.Thread(target=Deliverer(database, Poster(HERE)).run_until, args=(stop,))
        deliverer.start()
        assert all(has_come.acquire(timeout=60) for _ in range(2))
        alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 10.6})
        alerted.verdicts()
        assert all(has_come.acquire(timeout=60) for _ in range(2))
        stop.set()
        alerted.world.looking.execute("NOTIFY condvest_alerts")
        deliverer.join(60)
    assert not deliverer.is_alive()
    assert len(receiver.came) == 4
