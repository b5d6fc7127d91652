"""What goes into each part that is shipped: others' packages, our own code, and what is left out of both."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import finding
import stripping

HERE = Path(__file__).resolve().parent  # the caller may name it by way of ".."
ROOT = HERE.parents[2]
REQUIREMENTS = {
    "layer": ROOT / "batch_layer/fetching/requirements.txt",
    "function": ROOT / "batch_layer/fetching/requirements.txt",
    "serving": ROOT / "serving_layer/requirements.txt",
    "image": ROOT / "batch_layer/processing/requirements.txt",
}
PLATFORMS = {
    "x86_64": [
        "manylinux_2_28_x86_64",
        "manylinux_2_27_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_17_x86_64",
    ],
    "arm64": [
        "manylinux_2_28_aarch64",
        "manylinux_2_27_aarch64",
        "manylinux2014_aarch64",
        "manylinux_2_17_aarch64",
    ],
}
PLACES = {"layer": "/opt/python", "function": "/var/task", "serving": "/var/task", "image": "/app"}
"""Where the parts lie on AWS; tracebacks name it."""

GLIBC = {"layer": (2, 34), "function": (2, 34), "serving": (2, 34), "image": (2, 36)}
"""The C library that is there: Amazon Linux 2023's in Lambda's runtimes, Debian 12's in the image."""

UNUSED = json.loads((HERE / "unused.json").read_text())
"""What no code path imports, as regular expressions on the path; tests run what is left."""

_KERNEL = ("batch_layer/__init__.py", "batch_layer/database", "batch_layer/shared")
_LAYERS = {
    "function": ("__init__.py", *_KERNEL, "batch_layer/fetching"),
    "serving": ("__init__.py", *_KERNEL, "serving_layer"),
    "image": (
        "",
        *_KERNEL,
        "batch_layer/fetching",
        "batch_layer/operations",
        "batch_layer/processing",
        "serving_layer",
        "speed_layer",
    ),
}
OURS = {part: tuple(f"condvest/{path}" for path in paths) for part, paths in _LAYERS.items()}
"""What of the package a part holds: `condvest` links to the layers, and a link is not followed on the way."""

NOT_OURS = re.compile(
    r"/(terraform|deployment_packages|container_images|__pycache__)(/|$)|requirements\.txt$"
)


def assemble(part: str, site: Path, interpreter: str, arch: str) -> None:
    """Put into an empty folder what a part holds: others' packages, our code, all of it trimmed and compiled.

    Args:
        part: of `REQUIREMENTS`.
        site: the folder from which modules are imported.
        interpreter: of the runtime's version.
        arch: of `PLATFORMS`.

    Ends the program, in words, if the checkout is not complete or a library could not be loaded there.
    """
    _install(interpreter, part, site, arch)
    if part in OURS:
        _copy_ours(part, site)
    _prune(site, UNUSED[part])
    stripping.strip(site, arch)
    _check_c_library(part, site)
    _compile(interpreter, site, part)


def requirements(part: str) -> str:
    """Return the requirements of a part, with their hashes, as pip takes them."""
    text = REQUIREMENTS[part].read_text()
    parts: dict[str, str] = dict(
        re.findall(r"^# -- (\w+) --\n(.*?)(?=^# -- |\Z)", text, re.MULTILINE | re.DOTALL)
    )
    return parts[part]


def _install(interpreter: str, part: str, site: Path, arch: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements(part))
        file.flush()
        platforms = [word for name in PLATFORMS[arch] for word in ("--platform", name)]
        subprocess.run(
            [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--no-compile", "--only-binary=:all:", "--require-hashes", "--implementation", "cp",
             "--target", str(site), *platforms, "-r", file.name],
            check=True,
        )  # fmt: skip


def ours(part: str) -> list[Path]:
    """Return the files of our own code that a part holds, in order."""
    paths = []
    for name in OURS[part]:
        source = ROOT / name
        if not source.exists():
            sys.exit(f"{source} is missing: the checkout is not complete, nothing was built")
        paths += [source] if source.is_file() else sorted(source.rglob("*"))
    return [
        path for path in paths if path.is_file() and not NOT_OURS.search(path.relative_to(ROOT).as_posix())
    ]


def logs_in(part: str) -> bool:
    """Return whether a part logs in to the database, and so needs the authorities of RDS."""
    return "condvest/batch_layer/fetching" in OURS[part]


def _copy_ours(part: str, site: Path) -> None:
    for path in ours(part):
        inner = path.relative_to(ROOT)
        (site / inner).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, site / inner)
    if logs_in(part):
        shutil.copyfile(finding.rds_bundle(ROOT), site / "condvest/batch_layer/rds-bundle.pem")
    if "condvest/serving_layer" in OURS[part]:
        # What an installation leaves, by which the program knows its version.
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        about = site / f"condvest-{version}.dist-info/METADATA"
        about.parent.mkdir()
        about.write_text(f"Metadata-Version: 2.1\nName: condvest\nVersion: {version}\n")


def _prune(site: Path, unused: list[str]) -> None:
    rule = re.compile("|".join(f"(?:{rule})" for rule in unused))
    for path in sorted(site.rglob("*"), reverse=True):
        inner = path.relative_to(site).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif rule.search(inner):
            path.unlink()
        elif path.name == "METADATA":
            # Name and version are asked for; the rest is the project's whole README.
            head = re.findall(r"^(?:Metadata-Version|Name|Version): .*$", path.read_text(), re.MULTILINE)[:3]
            path.write_text("\n".join(head) + "\n")


def _compile(interpreter: str, site: Path, part: str) -> None:
    """Compile all modules, since neither a function nor a job can keep byte code.

    The source of others' is left out then. Unchecked: the byte code holds no time, and is taken without a
    look at the source.
    """
    if part not in OURS:
        _compileall(interpreter, site, site, part)
        return
    for path in sorted(site.iterdir()):
        if path.name == "condvest":
            _compileall(interpreter, site, path, part)
            continue
        _compileall(interpreter, site, path, part, "-b")
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if source.suffix == ".py" and source.with_suffix(".pyc").exists():
                source.unlink()


def _compileall(interpreter: str, site: Path, path: Path, part: str, *options: str) -> None:
    subprocess.run(
        [interpreter, "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash",
         "-s", str(site), "-p", PLACES[part], *options, str(path)],
        check=True, env=os.environ | {"PYTHONHASHSEED": "0"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _check_c_library(part: str, site: Path) -> None:
    """End if a library needs a newer C library than there is: it would be built, and fail at its import."""
    for path in sorted(site.rglob("*.so*")):
        needed = stripping.needed_glibc(path.read_bytes())
        if needed > GLIBC[part]:
            have, want = (".".join(map(str, version)) for version in (GLIBC[part], needed))
            sys.exit(
                f"{path.relative_to(site)} needs glibc {want}; the {part} runs on {have}: nothing was built"
            )
