"""Schemathesis reads the OpenAPI document, and finds nothing that the server does otherwise."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.serving import serving

LOOSER = "positive_data_acceptance"
"""The check that is left out: no schema says which symbols, columns and cursors there are."""


NOT_PUBLISHED = "not_a_server_error"
"""Another one, of published data: 501 says what only a database holds; 500 is described nowhere."""


@pytest.fixture(scope="module")
def place(sample, tmp_path_factory):
    place = tmp_path_factory.mktemp("published")
    sample.done("publish", "--to", place)
    return replace(sample, env={**sample.env, "CONDVEST_PUBLISHED": str(place)})


def run(client, folder, *options, without=(LOOSER,)):
    """Ask what the document describes, insist that nothing is found, and return the report."""
    report = folder / "report.json"
    ran = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            *("run", f"{client.base_url}/openapi.json", "--exclude-checks", ",".join(without)),
            *("--request-timeout", "60"),  # the first statement starts a process
            *("--continue-on-failure", "--report", "json", "--report-json-path", report, *options),
        ],
        cwd=folder,  # it keeps examples there
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return json.loads(report.read_text())


def test_nothing_is_found(place, tmp_path):
    with serving(place, "--sql") as client:
        report = run(client, tmp_path, "--phases", "fuzzing", "--max-examples", "6", "--seed", "1")
        paths = client.get("/openapi.json").json()["paths"]
        assert report["operations"]["tested"] == sum(map(len, paths.values()))


@pytest.mark.long
def test_nothing_is_found_in_five_minutes(place, tmp_path):
    with serving(place, "--sql") as client:
        run(client, tmp_path, "--max-time", "300")


@pytest.mark.long
def test_nothing_is_found_in_what_is_published(place, tmp_path):
    with serving(place, "--sql", "--source", "published") as client:
        run(client, tmp_path, "--max-time", "60", without=(LOOSER, NOT_PUBLISHED))
