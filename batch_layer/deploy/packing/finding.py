"""What packing.py finds or fetches: an interpreter of the runtime, the authorities of RDS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

RDS_BUNDLE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"


def interpreter(version: str) -> str:
    """Return a Python of the runtime's version: byte code of another one would not be read."""
    pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    for program in (
        os.environ.get("CONDVEST_LAMBDA_PYTHON"),
        shutil.which(f"python{version}"),
        *map(str, pyenv),
    ):
        if not program:
            continue
        answer = subprocess.run(
            [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.stdout.strip() == version:
            return program
    sys.exit(f"no Python {version} is installed, which the runtime has; name one: CONDVEST_LAMBDA_PYTHON=...")


def rds_bundle(root: Path) -> Path:
    """Return the authorities that vouch for servers of RDS: a file named, or AWS's own, fetched once."""
    named = os.environ.get("CONDVEST_RDS_BUNDLE")
    if named:
        return Path(named)
    bundle = root / "build/rds-bundle.pem"
    if not bundle.exists():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(RDS_BUNDLE, timeout=30) as answer:
                content = answer.read()
        except OSError as error:
            sys.exit(f"cannot fetch {RDS_BUNDLE}: {error}; or name a copy: CONDVEST_RDS_BUNDLE=FILE")
        if not content.startswith(b"-----BEGIN CERTIFICATE-----"):
            sys.exit(f"{RDS_BUNDLE} gave no certificates")
        bundle.write_bytes(content)
    return bundle
