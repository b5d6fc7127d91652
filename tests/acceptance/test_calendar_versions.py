"""Each pair of calendar libraries' versions that may be installed gives the same ordinals and hours.

The versions are installed beside the environment, so this needs a package index, and some minutes:
`pytest -m long tests/acceptance/test_calendar_versions.py`. A new release is added to RELEASED.
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from condvest.batch_layer.shared.utils.calendar import LIBRARY, SECOND_LIBRARY, exchange_sessions

ROOT = Path(__file__).parents[2]
# Versions that were released; those that pyproject.toml allows are run.
RELEASED = {
    LIBRARY: ("5.1.0", "5.2.0", "5.2.4", "5.3.0", "5.3.1", "5.3.1.1", "5.3.1.2", "5.3.2", "5.4.0", "5.5.0"),
    SECOND_LIBRARY: (
        "4.6",
        "4.10.1",
        "4.11",
        "4.11.1",
        "4.11.2",
        "4.11.3",
        "4.12",
        "4.13",
        "4.13.1",
        "4.13.2",
    ),
}
FIRST_YEAR, LAST_YEAR = 1926, 2027
PROGRAM = f"""
import datetime as dt, hashlib, json, sys
from condvest.batch_layer.shared.utils.calendar import *
calendar = exchange_sessions({FIRST_YEAR}, {LAST_YEAR})
second = second_opinion(SECOND_KNOWS_FROM, dt.date({LAST_YEAR}, 12, 31))
known = calendar.date[calendar.date >= second[0]]
digest = hashlib.sha256(b"".join(column.tobytes() for column in calendar)).hexdigest()
agreed = known.tolist() == second.tolist()
json.dump([library_version(), second_library_version(), digest, agreed], sys.stdout)
"""


def allowed(package):
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (specifier,) = [one.specifier for one in map(Requirement, lines) if one.name == package]
    return [version for version in RELEASED[package] if version in specifier]


def test_the_bounds_name_the_versions_that_an_ordinal_depends_on():
    """5.2.0 came without the calendar NYSE; 4.6 did not know the closure of 2025-01-09."""
    assert allowed(LIBRARY) == ["5.3.0", "5.3.1", "5.3.1.1", "5.3.1.2", "5.3.2", "5.4.0", "5.5.0"]
    assert allowed(SECOND_LIBRARY)[0] == "4.11"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return where a version is, installed alone."""
    folder = tmp_path_factory.mktemp("versions")

    def install(package, version):
        target = folder / f"{package}-{version}"
        if not target.exists():
            requirement = f"{package}=={version}"
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target]
            subprocess.run([*command, requirement], check=True)
        return target

    return install


@pytest.mark.long
@pytest.mark.parametrize(("first", "second"), list(product(allowed(LIBRARY), allowed(SECOND_LIBRARY))))
def test_a_pair_agrees_with_the_pair_that_is_locked(installed, first, second):
    paths = (installed(LIBRARY, first), installed(SECOND_LIBRARY, second), ROOT)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    locked = b"".join(column.tobytes() for column in exchange_sessions(FIRST_YEAR, LAST_YEAR))
    assert json.loads(ran.stdout) == [
        f"{LIBRARY}=={first}",
        f"{SECOND_LIBRARY}=={second}",
        hashlib.sha256(locked).hexdigest(),
        True,
    ]
