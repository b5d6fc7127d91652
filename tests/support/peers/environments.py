"""Environments of programs that the lock file does not hold, below build/peers."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PEERS = ROOT / "tests/support/peers"


def python_of(peer):
    """Return the Python of a peer's environment; made by pip if it is not there."""
    requirements = PEERS / f"requirements-{peer}.txt"
    folder = ROOT / "build/peers" / peer
    python, mark = folder / "bin/python", folder / "installed.txt"
    if not mark.exists() or mark.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(requirements)], check=True)
        mark.write_text(requirements.read_text())
    return str(python)
