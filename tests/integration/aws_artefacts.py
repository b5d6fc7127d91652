"""What is shipped to AWS, built by the scripts that are shipped with it, and what runs it here.

Builds are kept under build/ by the digest of all that goes into them, and made once, however many processes
of the tests ask. The tests of the builders themselves (test_aws_packages.py) do not use this.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/aws-artefacts"
RUNTIME = "3.13"
AUTHORITIES = "-----BEGIN CERTIFICATE-----\n"
"""Stand in for the bundle of RDS, which is not fetched here."""

_PACKING = ROOT / "batch_layer/fetching/deployment_packages"
_REQUIREMENTS = {
    "layer": ROOT / "batch_layer/fetching/requirements.txt",
    "function": ROOT / "batch_layer/fetching/requirements.txt",
    "image": ROOT / "batch_layer/processing/requirements.txt",
    "runtime": Path(__file__).with_name("requirements-runtime.txt"),
}
_SOURCES = (
    "batch_layer/database",
    "batch_layer/fetching",
    "batch_layer/processing",
    "batch_layer/shared",
    "condvest",
)


def built(part):
    """Return the path of the layer, the function package or the image's app as a zip."""
    names = {"layer": "layer.zip", "function": "functions.zip", "image": "app.zip"}
    return _kept(part, lambda out: _pack(part, out)) / names[part]


def unpacked_app():
    """Return the directory of what the image holds in /app."""
    app = built("image")
    return _kept("app", lambda out: shutil.unpack_archive(app, out), app.parent.name)


def runtime():
    """Return an interpreter of the runtime's version with what the runtime brings, and nothing else."""
    return _kept("runtime", _make_runtime) / "bin/python"


@cache
def interpreter():
    """Return a Python of the runtime's version, or this one: then all is built for this one."""
    pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"{RUNTIME}.*/bin/python"))
    for found in (shutil.which(f"python{RUNTIME}"), *map(str, pyenv)):
        if found and _version(found) == RUNTIME:
            return found
    return sys.executable


@cache
def _version(python):
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def _pack(part, out):
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as authorities:
        authorities.write(AUTHORITIES)
        authorities.flush()
        done = subprocess.run(
            [
                sys.executable,
                _PACKING / "packing.py",
                part,
                "--python",
                _version(interpreter()),
                "--out",
                out,
            ],
            env=os.environ
            | {"CONDVEST_LAMBDA_PYTHON": interpreter(), "CONDVEST_RDS_BUNDLE": authorities.name},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr


def _make_runtime(out):
    subprocess.run([interpreter(), "-m", "venv", out], check=True)
    pip = [out / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", _REQUIREMENTS["runtime"]], check=True, capture_output=True)


def _kept(part, make, *inputs):
    """Return the directory of this name and these inputs; made now if it is not there."""
    place = BUILD / f"{part}-{inputs[0].partition('-')[2] if inputs else _digest(part)}"
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{part}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "done").exists():
            for old in BUILD.glob(f"{part}-*"):
                shutil.rmtree(old)
            make(place)
            (place / "done").touch()
    return place


def _digest(part):
    paths = [_REQUIREMENTS[part]]
    if part != "runtime":
        paths += [_PACKING / "packing.py", _PACKING / "unused.json"]
    if part == "image":
        paths.append(ROOT / "pyproject.toml")
    if part in ("function", "image"):
        for name in _SOURCES:
            paths += sorted(path for path in (ROOT / name).rglob("*") if path.suffix in (".py", ".sql"))
    digest = hashlib.sha256(_version(interpreter()).encode())
    for path in paths:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
