"""The wheel as a user installs it: what it holds, and that a type checker sees its types."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USER = '''\
"""Ten lines of a user."""

import datetime as dt
from pathlib import Path

import condvest

settings = condvest.Settings(home=Path("prices"))
with condvest.connected(settings):
    table = condvest.bars(["AAPL", "IBM"], interval=13, start=dt.date(2012, 1, 3), settings=settings)
    sessions: int = condvest.sessions("2012-01-03", settings=settings).num_rows
    closes = condvest.panel("close", ["AAPL", "IBM"], interval=13, settings=settings)
    last: float = condvest.frame("IBM", settings=settings)["Close"].iloc[-1]
files: list[str] = condvest.published_files("bars_13", settings=settings)
longest: int = max(condvest.INTERVALS)
'''

WRONG = """\
import condvest

condvest.bars("AAPL", interval="13")
condvest.bars("AAPL", adjust="dividends")
names: int = condvest.published_files("bars_13")
condvest.panel("Close")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout by the build tools of the lock file."""
    place = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = place.glob("condvest-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A Python of a new environment that holds the wheel; its dependencies are those of the lock file."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / "bin/python"
    install = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*install, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    # Directories that a .pth file names get no .pth files of their own, so the editable checkout stays out.
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def checked(python, tmp_path, text):
    """Return what mypy --strict says of a user's module."""
    module = tmp_path / "user.py"
    module.write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
    command += ["--python-executable", str(python), "--cache-dir", str(tmp_path / "cache"), str(module)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout


def test_the_wheel_ships_sql_and_types_and_no_infrastructure(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        f"{package}/py.typed" for package in ("condvest", "serving_layer", "speed_layer", "batch_layer")
    } <= set(names)
    assert "batch_layer/database/schemas/schema.sql" in names
    assert [name for name in names if name.endswith((".tf", ".sh", "Dockerfile"))] == []


def test_the_wheel_runs_from_its_own_files(python, tmp_path):
    code = "import condvest, condvest.cli, batch_layer; print(condvest.__file__, batch_layer.__file__)"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert all(Path(place).is_relative_to(python.parents[1]) for place in done.stdout.split())


def test_a_users_ten_lines_pass_mypy_strict_and_mistakes_are_found(python, tmp_path):
    assert checked(python, tmp_path, USER) == ""
    found = checked(python, tmp_path, WRONG)
    lines = [line.split(":")[1] for line in found.splitlines() if ": error:" in line]
    assert lines == ["3", "4", "5", "6"], found
