"""A canary in every secret, and a look at all that is written, printed, logged, archived and handed on."""

import json
import os
import stat
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

from condvest.batch_layer.database.postgres.connecting.variables import OUR_SECRETS
from condvest.batch_layer.shared.postgres_url import PostgresUrl
from condvest.batch_layer.shared.settings import Settings
from tests.support.in_process import Program
from tests.support.payloads import BARS, bar, csv_of

CANARY = "Canary/4711+Sings"
SENT = (CANARY, urllib.parse.quote(CANARY, safe=""), CANARY.replace("/", "\\/"))
SHOWN = (*SENT, "4711+Sings", "4711%2BSings")
"""What may be nowhere: all that is sent, and a part of the secret, of which half was masked."""


CLOSE = 1717444800000
"""Of the session of 2024-06-03, in milliseconds."""


class Echo(BaseHTTPRequestHandler):
    """A vendor that sends back what it was sent: in a refusal, and in rows that are kept."""

    def do_GET(self):
        rows = [{"T": form, "t": CLOSE, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1} for form in SENT]
        said = {"status": "ERROR", "results": rows, "message": f"key {SENT} of {self.headers}"}
        status = 200 if "grouped" in self.path else 403
        if status == 200:
            counts = {"queryCount": len(rows), "resultsCount": len(rows), "count": len(rows)}
            said |= {"status": "OK", "adjusted": False, **counts}
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Key", urllib.parse.quote(CANARY, safe=""))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture
def vendor():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def condvest(url, tmp_path, monkeypatch, vendor):
    """The command, on a database with a password, a vendor with a key, and flat files with both."""
    for name in (*OUR_SECRETS, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    address = url.replace("condvest@", f"condvest:{urllib.parse.quote(CANARY, safe='')}@", 1)
    assert address != url
    monkeypatch.setenv("CONDVEST_DATABASE_URL", address)
    monkeypatch.setenv("CONDVEST_MASSIVE_BASE_URL", vendor)
    monkeypatch.setenv("CONDVEST_FLATFILES_ENDPOINT", vendor)
    monkeypatch.setenv("CONDVEST_MASSIVE_PLAN", "paid")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACANARY")
    return Program(None, tmp_path / "home")


@pytest.fixture
def psql(tmp_path, monkeypatch):
    """A program in the place of psql that notes what it was given."""
    program = tmp_path / "bin" / "psql"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nenv > {tmp_path}/environment\necho "$@" > {tmp_path}/arguments\n')
    program.chmod(0o755)
    monkeypatch.setenv("CONDVEST_POSTGRES_BIN", str(program.parent))
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return tmp_path


def content_of(path):
    """Return the bytes of a file; of a packed one what was packed, where a secret would not show."""
    if path.suffix != ".zst":
        return path.read_bytes()
    with pa.CompressedInputStream(str(path), "zstd") as packed:
        return packed.read()


def test_no_secret_shows_in_anything_that_the_commands_leave(condvest, world, tmp_path, caplog):
    """Done, refused and failed: each command is run, whatever it ends with."""
    bars = tmp_path / "bars.csv"
    bars.write_bytes(csv_of(BARS, [bar("A", "2024-06-03")]))
    (tmp_path / "junk.csv").write_bytes(b"no,prices\n1,2\n")
    asked = [
        ("import", bars),
        ("import", tmp_path / "junk.csv"),
        ("backfill", "--provider", "massive", "--start", "2024-06-03", "--end", "2024-06-03"),
        ("backfill", "--provider", "massive", "--from-files", "--start", "2024-06-03", "--end", "2024-06-03"),
        ("metadata", "A"),
        ("status", "--json"),
        ("doctor", "--json"),
        ("refused", "--json"),
        ("bars", "A", "--interval", "1"),
        ("publish", "--json"),
        ("verify", "--json"),
        ("rebuild",),
        ("keys", "list"),
        ("db", "up"),
    ]
    said = {" ".join(map(str, one)): condvest(*one) for one in asked}
    assert said["import " + str(bars)].code == 0
    lines = [f"{name}: {line}" for name, ran in said.items() for line in (ran.out + ran.err).splitlines()]
    assert [line for line in lines if any(form in line for form in SHOWN)] == []
    assert not any(form in caplog.text for form in SHOWN)
    kept = {path: content_of(path) for path in condvest.home.rglob("*") if path.is_file()}
    assert any(b"results" in content for content in kept.values()), "the vendor's answer is archived"
    assert [path for path, content in kept.items() if any(form.encode() in content for form in SHOWN)] == []
    assert not any(form in json.dumps(world.dump(), default=str) for form in SHOWN)
    assert not any(form in repr(Settings.from_env(os.environ)) for form in SHOWN)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:{}@127.0.0.1:1/db",
        "postgresql://me@127.0.0.1:1/db?password={}",
        "postgresql:/me:{}@h/db",
        "postgres:me:{}@h/db",
        "postgresql://me:{}@h:port/db",
        "postgresql://me:{}@[h/db",
        "postgresql://me:{}@h/db?sslmode={}",
    ],
)
def test_no_wrong_address_shows_its_password(tmp_path, monkeypatch, address):
    monkeypatch.setenv("CONDVEST_DATABASE_URL", address.replace("{}", "Canary4711Sings"))
    ran = Program(None, tmp_path)("status")
    assert ran.code != 0
    assert "Canary4711Sings" not in ran.out + ran.err


def test_psql_is_handed_the_password_alone_and_not_as_an_argument(condvest, psql):
    condvest("db", "shell")
    assert not any(form in (psql / "arguments").read_text() for form in SHOWN)
    environment = (psql / "environment").read_text().splitlines()
    holding = {line.partition("=")[0] for line in environment if any(form in line for form in SHOWN)}
    assert holding == {"PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


def test_a_key_of_the_http_service_is_shown_once_and_kept_as_its_digest(condvest):
    key = condvest.done("keys", "add", "desk").out.strip().splitlines()[-1].split()[-1]
    assert key.startswith("cv_")
    assert key not in condvest.done("keys", "list").out
    assert key not in condvest("keys", "add", "desk").err
    (kept,) = (condvest.home / "serving").iterdir()
    assert key not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_an_address_shows_no_password_as_text():
    address = PostgresUrl.parse(f"postgresql://me:{urllib.parse.quote(CANARY, safe='')}@h/db")
    assert not any(form in f"{address} {address!r}" for form in SHOWN)
