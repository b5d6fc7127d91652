"""What other tests fork in place of starting it prints, takes its settings and ends as the program does."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.warm import forked_program

PROGRAM = str(Path(sys.executable).with_name("condvest"))


@pytest.mark.parametrize("variables", [{}, {"TZ": "Asia/Tokyo"}], ids=["forked", "started anew"])
def test_a_fork_prints_and_ends_as_the_program(server, variables, tmp_path):
    environ = server.on(server.url()).environ | variables
    for words in (["--version"], ["bars", "--interval", "x"], ["import", "absent.csv"]):
        ran, forked = (
            subprocess.run(
                [*start, PROGRAM, *words],
                cwd=tmp_path,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            for start in ((), forked_program())
        )
        assert (forked.returncode, forked.stdout, forked.stderr) == (ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_caller_reaches_the_program(sample, number):
    codes = []
    for start in ((), forked_program()):
        command = [*start, PROGRAM, "serve", "--port", "0"]
        with subprocess.Popen(command, env=sample.environ, stderr=subprocess.PIPE, text=True) as process:
            try:
                line = process.stderr.readline()
                address = next(word for word in line.split() if word.startswith("http://"))
                httpx.get(f"{address}/v1/health")  # it takes signals by then
                process.send_signal(number)
                process.stderr.read()
                codes.append(process.wait(60))
            finally:
                process.kill()
    assert codes[0] == codes[1] != -signal.SIGKILL
