"""Several processes behind one address: they answer, are replaced, and end with the server."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from tests.support.serving import serving

LINES = [f"T,2024-06-{day:02},{day},{day + 1},{day - 1},{day},100" for day in (3, 4, 5, 6, 7, 10)]
LIMIT = 120


@pytest.fixture
def loaded(fresh, prices):
    fresh.done("import", prices(*LINES))
    return fresh


def answering(address):
    """Return the id of the process that answers over a new connection."""
    text = httpx.get(f"{address}/metrics", timeout=60).text
    return int(re.search(r'condvest_info\{.*pid="(\d+)"\}', text)[1])


def all_of(address, count, but=()):
    """Ask until so many processes have answered that are not among those named, and return them."""
    found, until = set(), time.monotonic() + LIMIT
    with ThreadPoolExecutor(8) as pool:
        while len(found) < count:
            assert time.monotonic() < until, found
            found |= set(pool.map(answering, [address] * 16)) - set(but)
    return found


def test_workers_answer_the_same_are_replaced_and_end_with_the_server(loaded):
    with serving(loaded, "--workers", "2") as client:
        address = str(client.base_url).rstrip("/")
        first = all_of(address, 2)
        answers = [httpx.get(f"{address}/v1/bars?interval=1", timeout=60).json() for _ in range(12)]
        # Not the version: other databases of the server have transactions, which it counts.
        assert all(answer["rows"] == answers[0]["rows"] for answer in answers)
        assert len(answers[0]["rows"]) == 6
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        after = all_of(address, 2, but=(victim,))
        assert after & first == first - {victim}
    assert [each for each in first | after if is_running(each)] == []


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_whose_parent_was_killed_end_too(loaded):
    with loaded.start("serve", "--port", "0", "--workers", "2") as process:
        try:
            line = process.stderr.readline()
            address = re.search(r"http://\S+", line)[0]
            workers = all_of(address, 2)
        finally:
            process.kill()
    until = time.monotonic() + LIMIT
    while any(map(is_running, workers)):
        assert time.monotonic() < until
        os.sched_yield()


def test_workers_that_end_again_and_again_end_the_server(tmp_path):
    """Each is killed as soon as it is there."""
    code = (
        "import os, signal, socket\n"
        "from tests.acceptance.test_serving_workers import Killed\n"
        "from condvest.serving_layer.http import workers\n"
        "workers.MOST_DEATHS, workers.DEATHS_WITHIN = 1, 3600\n"
        "if __name__ == '__main__':\n"
        "    with socket.create_server(('127.0.0.1', 0)) as listening:\n"
        "        try:\n"
        "            workers.serve_by_workers(Killed(), listening, 2, print)\n"
        "        except workers.WorkersFail as error:\n"
        "            print(error)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}  # noqa: PTH109  # the project's root
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environ, timeout=LIMIT, check=True
    )
    lines = done.stdout.splitlines()
    assert sum("another takes its place" in line for line in lines) == 1
    assert re.match(r"2 workers ended by themselves .* exit code -9", lines[-1])


class Killed:
    """What a worker is given that is killed at once."""

    def backend(self):
        """Return what is never asked."""

    def run(self, *_):
        os.kill(os.getpid(), signal.SIGKILL)


def test_each_option_has_a_variable(loaded):
    key = loaded.done("keys", "add", "desk").strip()
    variables = {
        "PORT": "0", "SOURCE": "database", "HOST_NAME": "data.example b.example", "NO_KEYS": "false",
        "ALLOW_ORIGIN": "https://a.example", "PER_MINUTE": "3", "WORKERS": "",
    }  # fmt: skip
    own = {f"CONDVEST_SERVE_{name}": value for name, value in variables.items()}
    loaded = replace(loaded, env=loaded.env | own)
    with loaded.start("serve") as process:
        try:
            assert "terms" in process.stderr.readline()
            address = re.search(r"http://[0-9.:]+", process.stderr.readline())[0]
            how = {"Host": "b.example", "Origin": "https://a.example"}
            assert httpx.get(f"{address}/v1/version", headers=how, timeout=60).status_code == 401
            answer = httpx.get(
                f"{address}/v1/version", headers={**how, "Authorization": f"Bearer {key}"}, timeout=60
            )
            assert answer.headers["ratelimit-policy"] == '"key";q=3;w=60'
            assert answer.headers["access-control-allow-origin"] == "https://a.example"
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    loaded = replace(loaded, env=loaded.env | {"CONDVEST_SERVE_PORT": "eighty"})
    refused = loaded("serve")
    assert (refused.returncode, "CONDVEST_SERVE_PORT" in refused.stderr) == (2, True)


def test_the_documented_variables_are_those_of_the_options(root):
    """Of each option but --help, in docs/settings.md."""
    options = set(re.findall(r"^\| `--([a-z-]+)", _section(root / "docs" / "cli.md"), re.MULTILINE))
    assert {"port", "workers", "allow-origin", "mcp"} <= options
    told = set(re.findall(r"`CONDVEST_SERVE_([A-Z_]+)`", (root / "docs" / "settings.md").read_text()))
    assert told - {"HOSTS"} == {name.replace("-", "_").upper() for name in options}


def _section(page):
    return page.read_text().partition("\n## condvest serve\n")[2].partition("\n## ")[0]
