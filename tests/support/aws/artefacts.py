"""What is shipped to AWS, built by the scripts that are shipped with it, and what runs it here.

All lies under build/aws-artefacts and is made once, however many processes of the tests ask; the builders see
for themselves whether anything has changed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.infrastructure.workshop import missing
from tests.support.databases.authorities import Authority

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build/aws-artefacts"
RUNTIME = "3.13"
_PACKING = ROOT / "batch_layer/deploy/packing/packing.py"
_REQUIREMENTS = Path(__file__).with_name("requirements-runtime.txt")


@cache
def built(part):
    """Return the path of the layer, the function package or the image's app as a zip.

    Beside it lies the builder's description of it.
    """
    with _alone(part) as out:
        done = subprocess.run(
            [sys.executable, _PACKING, part, "--python", version(), "--out", out],
            env=os.environ | build_environ(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


def unpacked_app():
    """Return the directory of what the image holds in /app."""
    return unpacked(built("image"))


@cache
def unpacked(archive):
    """Return the directory of what a package holds, which nobody may write into."""
    wanted = hashlib.sha256(archive.read_bytes()).hexdigest()
    return _made(f"{archive.stem}-unpacked", wanted, lambda out: shutil.unpack_archive(archive, out))


@cache
def runtime():
    """Return an interpreter of the runtime's version with what the runtime brings, and nothing else."""
    wanted = f"{interpreter()} {version()}\n{_REQUIREMENTS.read_text()}"
    return _made("runtime", wanted, _make_runtime) / "bin/python"


def build_environ():
    """Return the variables for whatever builds: which interpreter to take, and which authorities."""
    return {
        "PYTHON": sys.executable,
        "CONDVEST_LAMBDA_PYTHON": interpreter(),
        "CONDVEST_RDS_BUNDLE": str(authority().path),
    }


@cache
def authority():
    """Return the authority that vouches for servers here: its file stands for the bundle of RDS."""
    with _alone("authorities") as folder:
        return Authority.kept(folder.with_suffix(".pem"))


@cache
def interpreter():
    """Return a Python of the runtime's version, or this one: then all is built for this one."""
    pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"{RUNTIME}.*/bin/python"))
    for path in (shutil.which(f"python{RUNTIME}"), *map(str, pyenv)):
        if path and _version(path) == RUNTIME:
            return path
    return sys.executable


@cache
def version():
    """Return the version of that interpreter, as 3.13."""
    return _version(interpreter())


def need_runtime():
    """Fail, or skip, where all is built for another Python than the runtime's."""
    if version() != RUNTIME:
        missing(
            f"no Python {RUNTIME} is installed, which the functions and jobs run on: get it by pyenv or "
            "from https://www.python.org/downloads"
        )


def _version(python):
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def _make_runtime(out):
    # By its own pip: the one beside these tests may be too old for its Python.
    subprocess.run([interpreter(), "-m", "venv", out], check=True)
    pip = [out / "bin/python", "-m", "pip", "install", "--quiet"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "-r", _REQUIREMENTS], check=True, capture_output=True
    )


def _made(name, wanted, make):
    """Return the directory of this name; made anew unless it was made of what is wanted."""
    with _alone(name) as folder:
        made_of = folder.with_suffix(".txt")
        if not made_of.exists() or made_of.read_text() != wanted:
            made_of.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            made_of.write_text(wanted)
    return folder


@contextmanager
def _alone(name):
    """Yield the place of this name, which no other process fills meanwhile."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield BUILD / name
