"""What is shipped to Lambda, built and run: the very bytes, by AWS's own runtime client."""

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import boto3
import pytest

from tests.integration.aws.test_aws_functions import NOW, SECRET, SESSIONS, bars
from tests.support.aws import artefacts
from tests.support.aws.emulated import ARCHIVE, configured, credentials, emulated_aws, fresh_bucket
from tests.support.aws.lambda_runtime import running
from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.synthetic.market import Market

pytestmark = pytest.mark.aws

ROOT = Path(__file__).parents[3]
BUILDERS = ROOT / "batch_layer/fetching/deployment_packages"
HANDLERS = "condvest.batch_layer.fetching.lambda_functions"


def build(script, out, *options, builders=BUILDERS, **more):
    return subprocess.run(
        [builders / script, "--out", out, *options],
        env=os.environ | artefacts.build_environ() | more,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def _as_shipped():
    artefacts.need_runtime()


@pytest.fixture(scope="module")
def package():
    return artefacts.built("function")


@pytest.fixture(scope="module")
def layer():
    return artefacts.built("layer")


@pytest.fixture(scope="module")
def python():
    """An interpreter of the runtime's version with what the runtime brings, and nothing else."""
    return artefacts.runtime()


@pytest.fixture
def checkout(tmp_path):
    """Another checkout, elsewhere."""
    place = tmp_path / "another place"
    shutil.copytree(
        ROOT / "batch_layer", place / "batch_layer", ignore=shutil.ignore_patterns("build", "__pycache__")
    )
    shutil.copytree(ROOT / "condvest", place / "condvest", symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", place)
    return place / BUILDERS.relative_to(ROOT)


def test_both_are_within_the_limits(package, layer):
    """Lambda takes 250 MB unpacked; the project's own limits are 45 + 9 MB zipped and 160 MB unpacked."""
    assert layer.stat().st_size <= 45e6
    assert package.stat().st_size <= 9e6
    unpacked = 0
    for path in (layer, package):
        with zipfile.ZipFile(path) as archive:
            unpacked += sum(info.file_size for info in archive.infolist())
    assert unpacked <= 160e6


def test_built_again_elsewhere_the_bytes_are_the_same(package, layer, checkout, tmp_path):
    for script, first in (("build_packages.sh", package), ("build_layer.sh", layer)):
        again = build(script, tmp_path / "out", builders=checkout)
        assert again.returncode == 0, again.stderr
        assert "nothing changed" not in again.stderr
        assert Path(again.stdout.strip()).read_bytes() == first.read_bytes()


def modules_in(archive):
    """Return the modules in a package, whichever of the two architectures it is for."""
    kinds = (".py", ".pyc", "x86_64-linux-gnu.so", "aarch64-linux-gnu.so")
    return {name.replace("aarch64", "x86_64") for name in archive.namelist() if name.endswith(kinds)}


def test_for_arm_every_library_is_for_arm_and_nothing_is_missing(package, layer, tmp_path):
    """The machine of an ELF file stands in its bytes 18 and 19: 183 is AArch64. Nothing here can run them."""
    for script, ours in (("build_packages.sh", package), ("build_layer.sh", layer)):
        done = build(script, tmp_path / "arm", "--arch", "arm64")
        assert done.returncode == 0, done.stderr
        with zipfile.ZipFile(done.stdout.strip()) as arm, zipfile.ZipFile(ours) as usual:
            heads = [arm.read(info)[:20] for info in arm.infolist() if ".so" in info.filename]
            assert {head[:4] for head in heads} == {b"\x7fELF"}
            assert {int.from_bytes(head[18:20], "little") for head in heads} == {183}
            assert modules_in(arm) == modules_in(usual)


def test_what_is_as_it_was_is_not_built_again(package):
    before = package.stat()
    again = build("build_packages.sh", package.parent)
    assert "nothing changed since it was built" in again.stderr
    assert (again.stdout, package.stat()) == (f"{package}\n", before)


def test_the_manifests_say_what_was_built(package, layer):
    for path, name in ((package, "packages.json"), (layer, "layer.json")):
        manifest = json.loads((path.parent / name).read_text())
        assert manifest["path"] == str(path)
        assert manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (manifest["architecture"], manifest["runtime"]) == ("x86_64", "python3.13")


def test_past_a_limit_nothing_is_built_and_the_largest_parts_are_named(checkout, tmp_path):
    """A function package that carries 9 MB which cannot be packed."""
    (checkout.parent / "noise.bin").write_bytes(os.urandom(9_000_000))
    done = build("build_packages.sh", tmp_path / "out", builders=checkout)
    assert done.returncode == 1
    assert "nothing was built" in done.stderr
    told = [line.split() for line in done.stderr.splitlines() if line.startswith("  ") and " MB " in line]
    assert len(told) == 10
    assert [float(size) for size, *_ in told] == sorted((float(size) for size, *_ in told), reverse=True)
    assert {"psycopg_binary.libs", "condvest"} <= {name for *_, name in told[:3]}
    assert not (tmp_path / "out/functions.zip").exists()


def test_the_package_holds_our_code_and_no_secret_place_of_this_machine(package):
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        assert "condvest/batch_layer/rds-bundle.pem" in names
        assert f"{HANDLERS.replace('.', '/')}/archive_loader.py" in names
        for name in names:
            assert str(ROOT).encode() not in archive.read(name), name


@pytest.mark.parametrize("handler", ["archive_loader", "daily_ohlcv_fetcher", "daily_meta_fetcher"])
def test_a_cold_import_loads_nothing_heavy(package, layer, python, handler):
    """Neither pandas nor Arrow; how long it takes is for `make bench` to say (cold_import)."""
    code = (
        f"import sys, {HANDLERS}.{handler}; "
        "print('loaded', *{'pandas', 'pyarrow', 'yfinance'} & set(sys.modules))"
    )
    path = os.pathsep.join([str(artefacts.unpacked(package)), str(artefacts.unpacked(layer) / "python")])
    done = subprocess.run(
        [python, "-B", "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["loaded"]


def test_the_functions_take_the_sdk_that_is_shipped(package, layer, python):
    """Of the lock file, and with the clients that they need; the runtime's is an older one here."""
    ours = artefacts.unpacked(layer) / "python"
    code = (
        "import boto3, botocore\n"
        "from condvest.batch_layer.shared.clients import aws\n"
        "clients = [aws.client(name) for name in ('s3', 'secretsmanager', 'rds')]\n"
        "members = clients[0].meta.service_model.operation_model('PutObject').input_shape.members\n"
        "print(boto3.__file__, botocore.__file__, boto3.__version__, 'IfNoneMatch' in members)"
    )
    environ = credentials() | {"PYTHONPATH": f"{artefacts.unpacked(package)}{os.pathsep}{ours}"}
    told = []
    for more in (environ, {}):
        done = subprocess.run(
            [python, "-B", "-c", code if more else "import boto3; print(boto3.__version__)"],
            env=more,
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(done.stdout.split())
    (sdk, core, version, knows), (older,) = told
    assert {Path(one).parents[1] for one in (sdk, core)} == {ours}
    assert f"\nboto3=={version} " in (ROOT / "requirements.lock").read_text()
    assert (knows, older) == ("True", "1.34.0")


@pytest.fixture(scope="module")
def market():
    """A whole market: a session has more than 12,500 rows."""
    return Market(seed=3, instruments=12_900, first_session=SESSIONS[2], last_session=SESSIONS[0])


def test_the_shipped_fetcher_and_loader_handle_a_whole_session(
    package, layer, python, market, url, tmp_path, monkeypatch
):
    with emulated_aws() as endpoint, configured(monkeypatch, endpoint):
        fresh_bucket(endpoint)
        boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString=KEY)
        with MassiveEmulator(market, now=NOW, delay=0.01) as vendor:
            environ = credentials() | {
                "AWS_ENDPOINT_URL": endpoint,
                "CONDVEST_ARCHIVE": ARCHIVE,
                "CONDVEST_PROVIDER": "massive",
                "CONDVEST_MASSIVE_SECRET": SECRET,
                "CONDVEST_MASSIVE_PLAN": "paid",
                "CONDVEST_MASSIVE_BASE_URL": vendor.url,
                "CONDVEST_DATABASE_URL": url,
                "POWERTOOLS_METRICS_NAMESPACE": "Condvest/test",
            }
            fetcher = f"{HANDLERS}.daily_ohlcv_fetcher.handler"
            with running(package, layer, fetcher, python, tmp_path, environ) as function:
                kind, answer = function.call({"sessions": [SESSIONS[0].isoformat()], "correlation_id": "a"})
                assert (kind, answer.get("left")) == ("answer", []), answer
                assert function.peak_megabytes() < 512
                assert function.call({"sessions": ["no date"]})[0] == "error"
                function.call({"start": SESSIONS[2].isoformat(), "end": SESSIONS[2].isoformat()})
            loader = f"{HANDLERS}.archive_loader.handler"
            with running(package, layer, loader, python, tmp_path, environ) as function:
                kind, loaded = function.call({"keys": answer["archived"], "correlation_id": "b"})
                assert kind == "answer", loaded
                assert loaded["changed"] > 0
                assert loaded["inserted"] == len(bars_of(url)) > 12_500
                assert function.peak_megabytes() < 512
                error = function.call({"keys": ["massive/daily_bars/2024-05-31/gone.json"]})
                assert (error[0], error[1]["errorType"]) == ("error", "ArchiveError")


def bars_of(url):
    return {row[:2] for row in bars(url)}
