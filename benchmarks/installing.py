"""From nothing to the first bars, by each way of installing: ``python -m benchmarks.installing [WAY ...]``.

Each way gets a folder of its own for its environment, its caches, its home and Condvest's, so nothing is
there before. What it takes depends on the network and the machine; the sizes do not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]

WAYS = {
    "uvx": 'uvx --from "condvest[embedded] @ file://$WHEEL" condvest demo',
    "pipx": 'pipx install -q "condvest[embedded] @ file://$WHEEL" && "$HOME/.local/bin/condvest" demo',
    "pip": 'python3 -m venv env && env/bin/pip install -q "condvest[embedded] @ file://$WHEEL"'
    " && env/bin/condvest demo",
    "make demo": 'git clone -q "$ROOT" clone && make -C clone demo',
}
"""By name: the commands, in an empty folder."""


def megabytes(folder: Path) -> float:
    """Return the size of all files below a folder, links left out, in MB."""
    return (
        sum(each.lstat().st_size for each in folder.rglob("*") if each.is_file() and not each.is_symlink())
        / 1e6
    )


def measure(way: str, wheel: Path) -> tuple[float, float, float]:
    """Return the seconds on the clock, those of the processor, and the MB that stay, caches included."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("CONDVEST_", "VIRTUAL"))
        }
        environ |= {
            "HOME": folder,
            "WHEEL": str(wheel),
            "ROOT": str(ROOT),
            "CONDVEST_HOME": f"{folder}/condvest",
        }
        environ |= {"PIP_CACHE_DIR": f"{folder}/pip", "UV_CACHE_DIR": f"{folder}/uv", "UV_LINK_MODE": "copy"}
        environ.pop("PYTHONPATH", None)
        before, began = os.times(), time.monotonic()
        ran = subprocess.run(
            ["bash", "-euc", WAYS[way]], cwd=folder, env=environ, capture_output=True, check=False
        )
        seconds, after = time.monotonic() - began, os.times()
        if ran.returncode or b"AAPL    2005-02-15" not in ran.stdout:
            sys.exit(f"{way}: {ran.stderr.decode()}")
        processor = sum(after[2:4]) - sum(before[2:4])
        return seconds, processor, megabytes(Path(folder))


def main() -> None:
    """Build the wheel and measure each way that this machine has, or those that are named."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = Path(place).glob("*.whl")
        for way in sys.argv[1:] or WAYS:
            if shutil.which(way.split()[0]) is None and way != "pip":
                print(f"{way:10} not here")
                continue
            seconds, processor, size = measure(way, wheel)
            taken = f"{seconds:4.0f} s, {processor:3.0f} s of processor, {size:4.0f} MB, caches included"
            print(f"{way:10} {taken}", flush=True)


if __name__ == "__main__":
    main()
