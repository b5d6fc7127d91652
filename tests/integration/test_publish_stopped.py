"""The real command, killed at moments of no choosing, and refused by the disk: whole versions are read."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from tests.support.payloads import bar
from tests.support.publishing import from_database, from_files, published

CONDVEST = Path(sys.executable).with_name("condvest")
ASKED = {"interval": 3, "adjust": "none"}
YEARS = 8
FILES = 7 * YEARS


@pytest.fixture
def place(tmp_path):
    return DirectoryTarget(tmp_path / "published")


@pytest.fixture
def market(world, place):
    """Bars of eight years, published once: each year has a file in each of seven data sets."""
    rows = [bar(symbol, world.date(at), 10) for symbol in "AB" for at in range(0, 251 * YEARS, 2)]
    world.bars(rows)
    published(world, place)
    return world


def alter(market):
    """Give every daily bar another volume, so that every file of bars has to be written."""
    market.looking.execute("UPDATE daily_bars SET volume = volume + 1")
    market.resample(full=True)
    return from_database(market, **ASKED)


def command(market, place, *more):
    home = market.workspace.settings.home
    return [CONDVEST, "--home", home, "--database-url", market.url, "publish", "--to", place.name, *more]


def entries(place):
    """Return all that lies there, half-written files included, but for folders removed meanwhile."""
    return {
        Path(folder, name) for folder, folders, files in os.walk(place.name) for name in [*folders, *files]
    }


def is_tidy(place):
    """Return whether nothing lies there but what a kept version names."""
    root = Path(place.name)
    manifests = [*root.glob("manifests/*.json"), root / "manifest.json"]
    named = {
        root / file["path"]
        for path in manifests
        for files in json.loads(path.read_text())["files"].values()
        for file in files
    }
    return {path for path in entries(place) if path.is_file()} == named | set(manifests) and not any(
        path.name.startswith(".") for path in entries(place)
    )


def test_killed_with_kill_9_at_any_moment_a_reader_has_a_whole_version(market, place):
    """Killed five times when so many entries have appeared, each over the last one's ruins; then it heals."""
    states = [from_files(place, **ASKED)]
    killed = 0
    for moment in sorted(random.Random(7).sample(range(1, FILES), 5)):
        before = entries(place)
        states.append(alter(market))
        with subprocess.Popen(command(market, place), stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                if len(entries(place) - before) >= moment:
                    process.kill()
                    process.wait()
                assert any(from_files(place, **ASKED).equals(state) for state in states[-2:])
        killed += process.returncode == -9
        seen = from_files(place, **ASKED)
        states = [state for state in states[-2:] if seen.equals(state)]
    assert killed
    last = alter(market)
    subprocess.run(command(market, place), check=True, capture_output=True)
    assert from_files(place, **ASKED).equals(last)
    assert is_tidy(place)


@pytest.mark.parametrize("blocks", [0, 8, 24])
def test_a_file_that_the_system_takes_no_more_of_leaves_the_version_before(market, place, blocks):
    """The kernel refuses the first byte, or a later one, of a file: by a limit that anybody may set."""
    old, held = from_files(place, **ASKED), place.sizes()
    new = alter(market)
    limited = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *command(market, place)]
    refused = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"cannot write to the published data set {place.name}" in refused.stderr
    assert "The version published before stays" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert from_files(place, **ASKED).equals(old)
    assert held.items() <= place.sizes().items()
    subprocess.run(command(market, place), check=True, capture_output=True)
    assert from_files(place, **ASKED).equals(new)
    assert is_tidy(place)
