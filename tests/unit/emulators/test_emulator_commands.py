"""The emulators run as commands: they say where they listen, serve, and stop cleanly."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.emulators.massive import KEY
from tests.support.emulators.probe import ask

ROOT = Path(__file__).parents[3]
MARKET = (
    "--instruments",
    "30",
    "--seed",
    "7",
    "--first-session",
    "2024-01-02",
    "--last-session",
    "2024-03-28",
)


@pytest.fixture
def launch():
    """Start an emulator's command; each is stopped at the end, whatever happened."""
    running = []

    def start(module, *options):
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.support.emulators.{module}", *MARKET, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        return process, line.removeprefix("listening on ").strip()

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_massive_listens_serves_and_stops_without_a_word_about_keys(launch, stop):
    process, url = launch("massive", "--now", "2024-04-01T12:00", "--plan", "paid", "--faults", "0")
    target = f"/v2/aggs/grouped/locale/us/market/stocks/2024-03-28?apiKey={KEY}"
    assert ask(url, target).json()["resultsCount"] > 10
    assert ask(url, "/_emulator/state").json()["now"] == "2024-04-01T12:00:00-04:00"
    process.send_signal(stop)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert (out, err) == ("", "")


def test_yahoo_listens_and_serves_the_market_and_the_sample(launch):
    _, url = launch("yahoo", "--sample", "--now", "2024-04-01T12:00")
    span = "period1=0&period2=1711900800&interval=1d"
    assert ask(url, f"/v8/finance/chart/KIM?{span}").status == 200
    ibm = ask(url, f"/v8/finance/chart/IBM?{span}").json()["chart"]["result"][0]
    assert ibm["meta"]["firstTradeDate"] == 951921000  # 2000-03-01, 9:30 in New York


def test_faults_can_be_named_on_the_command_line(launch):
    _, url = launch("massive", "--faults", "1", "--fault", "CLIENT_CLOSED", "--now", "2024-04-01T12:00")
    assert ask(url, "/v1/marketstatus/now", key=KEY).status == 499
