"""Write requirements.txt of fetching and processing from the lock files: python requirements.py [--check].

Each names what is shipped with the versions and hashes of the lock, and with its markers where they depend
on the interpreter: AWS has one, a machine that only tests another. Nothing is chosen here but where the walk
over the dependencies begins. A line ``# -- part --`` begins each part.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""The last but one is that of the runtime on AWS."""

PARTS = {
    "batch_layer/fetching/requirements.txt": {
        # What the layer holds: heavy, and seldom changed. Our client of Massive stands on httpx. The runtime
        # has a boto3 too, of a version that AWS chooses by region and day: the layer's comes before it.
        "layer": ["pandas", "numpy", "yfinance", "httpx", "pandas-market-calendars", "boto3"],
        # What each function package holds beside our own code.
        "function": [
            "aws-lambda-powertools",
            "backports-zstd",
            "orjson",
            "platformdirs",
            "psycopg[binary]",
            "pydantic",
            "tzdata",
        ],
    },
    "batch_layer/processing/requirements.txt": {
        # What the image holds: the whole program, without an embedded server and without the sample.
        "image": [
            "backports-zstd",
            "boto3",
            "click",
            "curl-cffi",
            "httpx",
            "msgspec",
            "numpy",
            "orjson",
            "pandas-market-calendars",
            "platformdirs",
            "psycopg[binary]",
            "pyarrow",
            "rich",
            "tzdata",
            "websockets",
            "yfinance",
        ],
    },
    "serving_layer/requirements.txt": {
        # What the function behind the HTTP API holds: what answers questions, and reads Parquet from S3.
        "serving": [
            "boto3",
            "fastapi",
            "mangum",
            "numpy",
            "orjson",
            "platformdirs",
            "psycopg[binary]",
            "pyarrow",
            "pydantic",
            "tzdata",
        ],
    },
}


ENVIRONMENTS: list[dict[str, str]] = [
    {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.{micro}",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    for python in PYTHONS
    for micro in (0, 99)
]
"""What the markers are held against: the first and the last of each Python."""


def holds(marker: Marker | None, extras: list[str]) -> bool:
    """Tell whether a marker holds on Linux for any Python, with any of the extras."""
    return marker is None or any(
        marker.evaluate(environment | {"extra": extra}) for environment in ENVIRONMENTS for extra in extras
    )


def locked() -> dict[str, list[str]]:
    """Return what the lock files say for Linux, by name: each version with its hashes and its Pythons."""
    versions_of: dict[str, dict[str, str]] = {}
    for name in LOCKS:
        text = (ROOT / name).read_text()
        for block in re.findall(r"^\S[^\n]*(?:\n[ \t]+[^\n]*)*", text, re.MULTILINE):
            first, *hashes = [line.strip().rstrip("\\").strip() for line in block.split("\n")]
            if first.startswith("#"):
                continue
            requirement = Requirement(first)
            if holds(requirement.marker, [""]):
                title = canonicalize_name(requirement.name)
                pinned = f"{title}{requirement.specifier}"
                if "python" in str(requirement.marker):
                    pinned += f" ; {requirement.marker}"
                versions_of.setdefault(title, {})[pinned] = " \\\n    ".join([pinned, *sorted(hashes)])
    return {title: list(versions.values()) for title, versions in versions_of.items()}


def closure(roots: list[str]) -> list[str]:
    """Return the names of the roots and of all they need on AWS, in alphabetical order."""
    needed_names: set[str] = set()
    todo = [Requirement(root) for root in roots]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        extras = sorted(requirement.extras) or [""]
        if name in needed_names and extras == [""]:
            continue
        needed_names.add(name)
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            if holds(needed.marker, extras):
                todo.append(needed)
    return sorted(needed_names)


def text_of(parts: dict[str, list[str]]) -> str:
    """Return the text of one file; what an earlier part holds, a later one does not repeat."""
    known, lock = set(), locked()
    lines = ["# From the lock files, by deploy/packing/requirements.py; not to be edited.\n"]
    for part, roots in parts.items():
        names = [name for name in closure(roots) if name not in known]
        known |= set(names)
        lines.append(f"\n# -- {part} --\n")
        lines += [f"{version}\n" for name in names for version in lock[name]]
    return "".join(lines)


def main() -> int:
    """Write the files; with --check say which differ, and write none."""
    stale = []
    for name, parts in PARTS.items():
        path, text = ROOT / name, text_of(parts)
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv[1:]:
                path.write_text(text)
    for name in stale:
        print(
            name, "differs from the lock files" if "--check" in sys.argv[1:] else "written", file=sys.stderr
        )
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
