"""The base is part of the tag of the jobs' image: a patched one is built, pushed and scanned anew."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest
from workshop import BATCH_LAYER, environment

SCRIPT = BATCH_LAYER / "processing/container_images/build_container.sh"
BASE = "public.ecr.aws/docker/library/python:3.13-slim-bookworm@sha256:"


@pytest.fixture
def tag_of(tmp_path):
    """Build on a base with stand-ins for Docker and for what packs the program; return the image's tag."""
    packed = tmp_path / "app.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("condvest/__init__.py", "")
    python, docker = tmp_path / "python", tmp_path / "docker"
    python.write_text(
        f'#!/bin/sh\ncase "$1" in */packing.py) exit 0 ;; *) exec "{sys.executable}" "$@" ;; esac\n'
    )
    docker.write_text('#!/bin/sh\necho "docker $*" >&2\n')
    python.chmod(0o755)
    docker.chmod(0o755)

    def tag(base):
        done = subprocess.run(
            [str(SCRIPT), "--out", str(tmp_path)],
            env=environment(PYTHON=str(python), DOCKER=str(docker), BASE_IMAGE=base),
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"--build-arg BASE={base} " in done.stderr
        return done.stdout.splitlines()[-1]

    return tag


def test_another_digest_of_the_base_is_another_image(tag_of):
    first, patched = (tag_of(BASE + digit * 64) for digit in "ab")
    assert first != patched
    assert first.startswith("condvest-jobs:")
    assert tag_of(BASE + "a" * 64) == first
