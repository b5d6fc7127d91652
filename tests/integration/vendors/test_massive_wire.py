"""What only a server that plays by no rules can show: sizes, redirects, packing, the key's way."""

import datetime as dt
import gzip
import json
import threading
import tracemalloc
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from condvest.batch_layer.shared.clients.massive import MAX_BYTES, MassiveClient, Transport, json_seq
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.errors import InputError, VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.utils.retry import Retry

NOW = dt.datetime(2024, 7, 10, 16, 0, tzinfo=dt.UTC)
SESSION = dt.date(2024, 3, 5)
KEY = "s3cretKeyOfNobody"
GROUPED = "/v2/aggs/grouped/locale/us/market/stocks/2024-03-05"
STAMP = 1709672400000
ROW = {"T": "AAPL", "v": 1, "o": 2, "c": 2, "h": 2, "l": 2, "t": STAMP}
GOOD = json.dumps({"status": "OK", "resultsCount": 1, "results": [ROW]}).encode()


class Script:
    """A server that gives the answer of the path, or else the next one of a list; keeps what it was sent."""

    def __init__(self):
        self.answers = []
        self.of_path = {}
        self.seen = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                script.seen.append((self.path, dict(self.headers)))
                path = self.path.partition("?")[0]
                answer = script.of_path.get(path) or script.answers.pop(0)
                status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
                self.send_response(status)
                pieces = [body] if isinstance(body, bytes) else body
                told = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {}
                for name, value in (told | headers).items():
                    self.send_header(name, value)
                if not isinstance(body, bytes):
                    self.send_header("Connection", "close")
                self.end_headers()
                try:
                    for piece in pieces:
                        self.wfile.write(piece)
                except OSError:
                    self.close_connection = True  # the client has left, which some tests want

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def paths(self):
        return [path.partition("?")[0] for path, _ in self.seen]


@pytest.fixture
def script():
    with Script() as script:
        yield script


@pytest.fixture
def client_of(tmp_path):
    """Make clients of a server, with a limit on the size and a number of attempts."""
    made = []

    def make(script, max_bytes=MAX_BYTES, attempts=2, **more):
        limit = RateLimit(tmp_path / "limit", Rate(10_000, 1.0))
        exchange = Transport(script.url, KEY, max_bytes=max_bytes, **more)
        retry = Retry(attempts=attempts, sleep=lambda _: None)
        client = MassiveClient(exchange, limit, retry=retry, now=lambda: NOW, max_bytes=max_bytes)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


# Sizes ---------------------------------------------------------------------------------------------


def test_an_answer_that_says_it_is_too_large_is_refused_with_its_size_unread(script, client_of):
    script.answers = [(200, {"Content-Length": "300000000"}, (b"x" for _ in range(1)))]
    with pytest.raises(InputError, match=r"2024-03-05: the answer is 300,000,000 bytes, above .* 16,000,000"):
        client_of(script).grouped_daily(SESSION)
    assert len(script.seen) == 1


def test_an_answer_of_untold_size_is_read_to_the_limit_and_no_further(script, client_of):
    sent = []

    def endless():
        while True:
            sent.append(1)
            yield b" " * 65_536

    script.answers = [(200, {}, endless())]
    with pytest.raises(InputError, match="more than 100,000 bytes"):
        client_of(script, max_bytes=100_000).grouped_daily(SESSION)
    assert len(sent) * 65_536 < 50_000_000  # what the sockets' buffers hold


def test_a_gzip_bomb_is_not_unpacked_past_the_limit(script, client_of):
    """Some 50 kB hold 50 MB; no more of them than the limit and a byte is ever unpacked."""
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join(bomb.compress(b" " * 1_000_000) for _ in range(50)) + bomb.flush()
    script.answers = [(200, {"Content-Encoding": "gzip"}, packed)]
    client = client_of(script, max_bytes=1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="more than 1,000,000 bytes"):
            client.grouped_daily(SESSION)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_an_answer_of_just_the_limit_is_taken(script, client_of):
    script.answers = [GOOD, (200, {"Content-Encoding": "gzip"}, gzip.compress(GOOD, mtime=0))]
    client = client_of(script, max_bytes=len(GOOD))
    assert client.grouped_daily(SESSION).content == GOOD
    assert client.grouped_daily(SESSION).content == GOOD


def test_the_pages_of_a_list_are_limited_together(script, client_of):
    page = {"status": "OK", "results": [], "fill": "x" * 900}
    script.of_path["/stocks/v1/splits"] = json.dumps(page | {"next_url": "/a"}).encode()
    script.of_path["/a"] = json.dumps(page).encode()
    with pytest.raises(InputError, match=r"list of splits: 2 pages hold .* above the limit of 1,500"):
        client_of(script, max_bytes=1500).splits()


# Packing -------------------------------------------------------------------------------------------


def test_gzip_in_several_members_and_odd_pieces_is_unpacked(script, client_of):
    packed = gzip.compress(GOOD[:40], mtime=0) + gzip.compress(GOOD[40:], mtime=0)
    pieces = [packed[place : place + 7] for place in range(0, len(packed), 7)]
    script.answers = [(200, {"Content-Encoding": "GZIP"}, pieces)]
    assert client_of(script).grouped_daily(SESSION).content == GOOD
    assert script.seen[0][1]["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(GOOD, mtime=0)[:-9], "the answer's gzip is cut off"),
        ({"Content-Encoding": "gzip"}, b"", "an empty body"),
        ({"Content-Encoding": "gzip"}, GOOD, "says that it is gzip and is not"),
        ({"Content-Encoding": "br"}, GOOD, "packed as 'br', though only gzip was asked for"),
    ],
)
def test_bad_packing_is_a_passing_failure(script, client_of, headers, body, said):
    script.answers = [(200, headers, body)] * 2
    with pytest.raises(VendorUnavailable, match=said):
        client_of(script).grouped_daily(SESSION)
    script.answers = [(200, headers, body), GOOD]
    assert client_of(script).grouped_daily(SESSION).content == GOOD


def test_a_body_that_drips_for_ever_is_given_up(script, client_of):
    """Each look at this clock finds it 100 s later: no answer takes 300 s."""
    instants = iter(range(0, 10**6, 100))
    script.answers = [(200, {}, (b" " * 65_536 for _ in range(100)))]
    with pytest.raises(VendorUnavailable, match="the answer had not ended after 300 s"):
        client_of(script, attempts=1, monotonic=lambda: next(instants)).grouped_daily(SESSION)


# Redirects -----------------------------------------------------------------------------------------


def test_a_redirect_to_another_host_gets_no_call_and_no_key(script, client_of):
    with Script() as other:
        other.answers = [GOOD] * 9
        for target in (f"{other.url}/x", other.url.replace("127.0.0.1", "localhost") + "/x"):
            script.answers = [(307, {"Location": target}, b"")] * 2
            with pytest.raises(
                VendorUnavailable, match=r"307, a redirect to http://.*, which was not followed"
            ):
                client_of(script).grouped_daily(SESSION)
        assert other.seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_host_is_followed_with_the_key(script, client_of, status):
    script.of_path[GROUPED] = (status, {"Location": "/moved?a=1"}, b"")
    script.of_path["/moved"] = GOOD
    assert client_of(script).grouped_daily(SESSION).content == GOOD
    assert script.paths == [GROUPED, "/moved"]
    assert {headers["Authorization"] for _, headers in script.seen} == {f"Bearer {KEY}"}


def test_redirects_in_a_circle_end(script, client_of):
    script.of_path[GROUPED] = (302, {"Location": GROUPED}, b"")
    with pytest.raises(VendorUnavailable, match="more than 3 redirects"):
        client_of(script, attempts=1).grouped_daily(SESSION)
    assert len(script.seen) == 4


def test_a_redirect_without_a_place_is_a_passing_failure(script, client_of):
    script.answers = [(302, {}, b""), GOOD]
    assert client_of(script).grouped_daily(SESSION).content == GOOD


def test_the_exchange_itself_sends_nothing_to_another_host(script):
    with Script() as other:
        exchange = Transport(script.url, KEY)
        with pytest.raises(VendorRefused, match="the key is not sent there"):
            exchange.get(f"{other.url}/x")
        exchange.close()
        assert other.seen == []


# Pages ---------------------------------------------------------------------------------------------


def test_pages_are_kept_as_they_came_and_the_vendors_host_is_not_called(script, client_of):
    first = b'{"status": "OK", "results": [],\n "next_url": "https://api.polygon.io/more?cursor=a%2Bb"}'
    last = b'{"status":"OK","results":[]}'
    script.of_path = {"/stocks/v1/splits": first, "/more": last}
    assert client_of(script).splits() == json_seq.join([first, last])
    assert script.seen[1][0] == "/more?cursor=a%2Bb"


def test_pages_that_lead_in_a_circle_end(script, client_of):
    page = b'{"status":"OK","results":[],"next_url":"/stocks/v1/splits?cursor=1"}'
    script.of_path["/stocks/v1/splits"] = page
    with pytest.raises(VendorUnavailable, match="page 2 leads back to an earlier one"):
        client_of(script).splits()
    assert len(script.seen) == 2


# The key -------------------------------------------------------------------------------------------


def test_a_vendor_that_repeats_the_key_does_not_bring_it_into_payloads_or_errors(script, client_of):
    """Nor into the next call's URL; everything else is kept as it came."""
    page = f'{{"status":"OK","results":[],"next_url":"https://x/more?apiKey={KEY}&cursor=1"}}'.encode()
    script.of_path = {"/stocks/v1/splits": page, "/more": b'{"status":"OK","results":[]}'}
    content = client_of(script).splits()
    assert KEY.encode() not in content
    assert content.startswith(b"\x1e" + page.replace(KEY.encode(), b"*" * len(KEY)))
    assert script.seen[1][0] == "/more?cursor=1"
    script.of_path["/stocks/v1/splits"] = (401, {}, f'{{"error":"Unknown API Key {KEY}"}}'.encode())
    with pytest.raises(VendorRefused, match=r"Unknown API Key \*{17}") as caught:
        client_of(script).splits()
    assert KEY not in str(caught.value)
    elsewhere = (302, {"Location": f"https://evil.example/?apiKey={KEY}"}, b"")
    script.of_path["/stocks/v1/splits"] = elsewhere
    with pytest.raises(
        VendorUnavailable, match=r"https://evil.example:443, which was not followed"
    ) as caught:
        client_of(script).splits()
    assert KEY not in str(caught.value)


def test_no_url_holds_the_key(script, client_of):
    script.of_path = {GROUPED: GOOD}
    client_of(script).grouped_daily(SESSION)
    assert all(KEY not in path for path, _ in script.seen)
