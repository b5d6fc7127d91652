"""Rung 4: checkov's known misconfigurations."""

from __future__ import annotations

import json
import subprocess

import pytest
from workshop import BATCH_LAYER, environment, from_venv

pytestmark = pytest.mark.aws


def test_checkov_finds_nothing():
    """All four roots: no check fails; each one that is skipped gives its reason in the code."""
    done = subprocess.run(
        [
            str(from_venv("checkov", "checkov")), "--directory", str(BATCH_LAYER), "--framework", "terraform",
            "--download-external-modules", "false", "--skip-download", "--output", "json",
        ],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    results = json.loads(done.stdout)["results"]
    assert [(one["check_id"], one["resource"]) for one in results["failed_checks"]] == []
    assert len(results["passed_checks"]) > 250
    for one in results["skipped_checks"]:
        assert one["check_result"]["suppress_comment"].strip(), one["check_id"]
