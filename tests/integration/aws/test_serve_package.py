"""The package of the function that serves: the very bytes, run by AWS's own runtime client."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.aws import artefacts
from tests.support.aws.emulated import BUCKET, configured, emulated_aws, fresh_bucket
from tests.support.aws.http_api import HOST, content_of, event_of
from tests.support.aws.lambda_runtime import running
from tests.support.publishing import files_of, from_database

pytestmark = pytest.mark.aws

ROOT = Path(__file__).parents[3]
BUILDER = ROOT / "serving_layer/deployment_packages/build_package.sh"
HANDLER = "condvest.serving_layer.aws.serve_function.handler"


@pytest.fixture(scope="module")
def package():
    artefacts.need_runtime()
    return artefacts.built("serving")


@pytest.fixture
def environ(sample_target, monkeypatch):
    with emulated_aws() as endpoint, configured(monkeypatch, endpoint):
        s3 = fresh_bucket(endpoint)
        for path, content in files_of(sample_target).items():
            s3.put_object(Bucket=BUCKET, Key=f"published/{path}", Body=content)
        yield {name: value for name, value in os.environ.items() if name.startswith("AWS_")} | {
            "CONDVEST_PUBLISHED": f"s3://{BUCKET}/published",
            "CONDVEST_SERVE_HOSTS": HOST,
        }


def test_it_is_within_what_lambda_takes_from_a_bucket(package):
    """250 MB unpacked (262,144,000 bytes); our own limits are narrower."""
    assert package.stat().st_size <= 65e6
    with zipfile.ZipFile(package) as archive:
        assert sum(info.file_size for info in archive.infolist()) <= 220e6
        names = archive.namelist()
        assert "condvest/serving_layer/aws/serve_function.py" in names
        ours = [name.removeprefix("condvest/") for name in names if name.startswith("condvest/")]
        assert {name.split("/")[0] for name in ours} >= {"__init__.py", "batch_layer", "serving_layer"}
        assert not any(
            name.startswith(("api.", "cli/", "batch_layer/fetching", "speed_layer")) for name in ours
        )
        assert "condvest/batch_layer/rds-bundle.pem" not in names  # it knows no database
        for name in names:
            assert str(ROOT).encode() not in archive.read(name), name


def test_what_is_as_it_was_is_not_built_again(package):
    again = subprocess.run(
        [BUILDER, "--out", package.parent],
        env=os.environ | artefacts.build_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nothing changed since it was built" in again.stderr
    assert again.stdout == f"{package}\n"


def test_as_shipped_it_answers_as_the_database_does(package, environ, sample, tmp_path):
    arrow = {"host": HOST, "accept": "application/vnd.apache.arrow.stream"}
    with running(package, None, HANDLER, artefacts.runtime(), tmp_path, environ) as function:
        for asked in ({"interval": 13}, {"interval": 21, "adjust": "total"}):
            query = "&".join(f"{name}={value}" for name, value in asked.items())
            kind, answer = function.call(event_of("GET", f"/v1/bars?symbol=IBM&{query}", arrow))
            assert (kind, answer["statusCode"]) == ("answer", 200), answer
            table = pa.ipc.open_stream(content_of(answer)).read_all()
            assert table.equals(from_database(sample, symbols=["IBM"], **asked))
        page = function.call(event_of("GET", "/", {"host": HOST}))[1]
        assert page["headers"]["content-type"] == "text/html; charset=utf-8"
        refused = function.call(event_of("GET", "/v1/bars?symbol=NOSUCH", {"host": HOST}))[1]
        said = json.loads(content_of(refused))
        assert (refused["statusCode"], said["title"]) == (404, "Unknown symbol")
        assert function.peak_megabytes() < 512
