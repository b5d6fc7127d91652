"""Which Condvest this is: its version, and the commit that it was built or is run from."""

from __future__ import annotations

import json
import subprocess
from importlib import metadata
from pathlib import Path

_PACKAGE = Path(__file__).parent
_LENGTH = 10
"""Digits of a commit that are shown."""


def version_text() -> str:
    """Return the version and the commit, such as ``0.1.0 (b47e30a1c2)``; the version alone if none is known.

    The commit is that of a wheel (written when it was built), of a repository address that pip or uv
    installed, or of the checkout that an editable installation runs from, ``modified`` if files differ.
    """
    version = metadata.version("condvest")
    commit = _of_wheel() or _of_installer() or _of_checkout()
    return f"{version} ({commit})" if commit else version


def _of_wheel() -> str | None:
    file = _PACKAGE / "commit.txt"
    return file.read_text(encoding="ascii").strip()[:_LENGTH] or None if file.exists() else None


def _of_installer() -> str | None:
    """Return the commit that the installer noted (PEP 610)."""
    text = metadata.distribution("condvest").read_text("direct_url.json")
    noted = json.loads(text) if text else {}
    commit = noted.get("vcs_info", {}).get("commit_id")
    return str(commit)[:_LENGTH] if commit else None


def _of_checkout() -> str | None:
    if not (_PACKAGE.parent / ".git").exists():
        return None
    described = _git("rev-parse", "HEAD")
    if described is None:
        return None
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return described[:_LENGTH] + (", modified" if changes else "")


def _git(*arguments: str) -> str | None:
    try:
        ran = subprocess.run(
            ["git", "-C", str(_PACKAGE.parent), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None
