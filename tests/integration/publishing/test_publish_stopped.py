"""The real command, killed at moments of no choosing, and refused by the disk: whole versions are read."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.published.manifest import Manifest
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
def filled_world(world, place):
    """Bars of eight years, published once: each year has a file in each of seven data sets."""
    rows = [bar(symbol, world.date(at), 10) for symbol in "AB" for at in range(0, 251 * YEARS, 2)]
    world.bars(rows)
    published(world, place)
    return world


def alter(filled_world):
    """Give every daily bar another volume, so that every file of bars has to be written."""
    filled_world.looking.execute("UPDATE daily_bars SET volume = volume + 1")
    filled_world.resample(full=True)
    return from_database(filled_world, **ASKED)


def command(filled_world, place, *more):
    home = filled_world.workspace.settings.home
    return [
        CONDVEST,
        "--home",
        home,
        "--database-url",
        filled_world.url,
        "publish",
        "--to",
        place.name,
        *more,
    ]


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
        root / file.path
        for path in manifests
        for file in Manifest.from_json(path.read_bytes(), place.name).all_files()
    }
    return {path for path in entries(place) if path.is_file()} == named | set(manifests) and not any(
        path.name.startswith(".") for path in entries(place)
    )


def test_killed_with_kill_9_at_any_moment_a_reader_has_a_whole_version(filled_world, place):
    """Killed five times when so many entries have appeared, each over the last one's ruins; then it heals."""
    states = [from_files(place, **ASKED)]
    killed = 0
    for moment in sorted(random.Random(7).sample(range(1, FILES), 5)):
        before = entries(place)
        states.append(alter(filled_world))
        with subprocess.Popen(command(filled_world, place), stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                if len(entries(place) - before) >= moment:
                    process.kill()
                    process.wait()
                assert any(from_files(place, **ASKED).equals(state) for state in states[-2:])
        killed += process.returncode == -9
        seen = from_files(place, **ASKED)
        states = [state for state in states[-2:] if seen.equals(state)]
    assert killed
    last = alter(filled_world)
    subprocess.run(command(filled_world, place), check=True, capture_output=True)
    assert from_files(place, **ASKED).equals(last)
    assert is_tidy(place)


@pytest.mark.parametrize("blocks", [0, 8, 24])
def test_a_file_that_the_system_takes_no_more_of_leaves_the_version_before(filled_world, place, blocks):
    """The kernel refuses the first byte, or a later one, of a file: by a limit that anybody may set."""
    old, held = from_files(place, **ASKED), place.sizes()
    new = alter(filled_world)
    limited = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *command(filled_world, place)]
    refused = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"cannot write to the published data set {place.name}" in refused.stderr
    assert "The version published before stays" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert from_files(place, **ASKED).equals(old)
    assert held.items() <= place.sizes().items()
    subprocess.run(command(filled_world, place), check=True, capture_output=True)
    assert from_files(place, **ASKED).equals(new)
    assert is_tidy(place)
