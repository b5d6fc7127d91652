"""When what is shipped is built again, and where the authorities of RDS come from."""

import argparse
import hashlib
import http.server
import json
import re
import struct
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "batch_layer/deploy/packing"))
import contents
import finding
import packing
import stripping

BUNDLE = b"-----BEGIN CERTIFICATE-----\nMII...\n-----END CERTIFICATE-----\n"


@pytest.fixture
def authorities(tmp_path, monkeypatch):
    path = tmp_path / "ca.pem"
    path.write_bytes(BUNDLE)
    monkeypatch.setenv("CONDVEST_RDS_BUNDLE", str(path))
    return path


def inputs(part="function", arch="x86_64"):
    return packing._inputs(argparse.Namespace(part=part, arch=arch), sys.executable)


@pytest.mark.usefixtures("authorities")
def test_the_same_inputs_have_the_same_digest_and_no_two_parts_one():
    assert inputs() == inputs()
    assert len({inputs(), inputs(arch="arm64"), inputs("layer"), inputs("image")}) == 4


def test_other_authorities_change_what_holds_them(authorities):
    function, layer = inputs(), inputs("layer")
    authorities.write_bytes(BUNDLE * 2)
    assert inputs() != function
    assert inputs("layer") == layer


@pytest.mark.usefixtures("authorities")
def test_another_version_of_a_dependency_changes_its_part_alone(tmp_path, monkeypatch):
    function, layer = inputs(), inputs("layer")
    text = contents.REQUIREMENTS["layer"].read_text()
    other = tmp_path / "requirements.txt"
    other.write_text(text.replace("\npandas==", "\npandas==99."))
    assert other.read_text() != text
    monkeypatch.setattr(contents, "REQUIREMENTS", contents.REQUIREMENTS | {"layer": other, "function": other})
    assert inputs() == function
    assert inputs("layer") != layer


@pytest.mark.usefixtures("authorities")
@pytest.mark.parametrize("change", ["edited", "renamed"])
def test_our_own_code_changes_what_holds_it(tmp_path, monkeypatch, change):
    sources = tmp_path / "condvest/batch_layer/shared"
    sources.mkdir(parents=True)
    (sources / "one.py").write_text("x = 1\n")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(contents, "ROOT", tmp_path)
    monkeypatch.setattr(contents, "OURS", {"function": ("condvest/batch_layer/shared",)})
    before = inputs()
    if change == "edited":
        (sources / "one.py").write_text("x = 2\n")
    else:
        (sources / "one.py").rename(sources / "two.py")
    assert inputs() != before


def test_only_what_is_there_whole_and_of_these_inputs_is_kept(tmp_path):
    target = tmp_path / "functions.zip"
    options = argparse.Namespace(part="function", arch="x86_64", python="3.13", out=tmp_path)
    assert not packing._is_built(options, target, "inputs")
    target.write_bytes(b"built")
    packing._describe(options, target, "inputs", 5)
    manifest = json.loads((tmp_path / "packages.json").read_text())
    assert manifest["sha256"] == hashlib.sha256(b"built").hexdigest()
    assert packing._is_built(options, target, "inputs")
    assert not packing._is_built(options, target, "others")
    target.write_bytes(b"damaged")
    assert not packing._is_built(options, target, "inputs")
    target.unlink()
    assert not packing._is_built(options, target, "inputs")


class Truststore(http.server.BaseHTTPRequestHandler):
    """What answers in AWS's place."""

    def do_GET(self):
        """Give what the server holds, and count."""
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def truststore(monkeypatch):
    monkeypatch.delenv("CONDVEST_RDS_BUNDLE", raising=False)
    with http.server.HTTPServer(("127.0.0.1", 0), Truststore) as server:
        server.asked, server.status, server.content = [], 200, BUNDLE
        monkeypatch.setattr(finding, "RDS_BUNDLE", f"http://127.0.0.1:{server.server_port}/global-bundle.pem")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_authorities_are_fetched_once(truststore, tmp_path):
    for _ in range(2):
        assert finding.rds_bundle(tmp_path).read_bytes() == BUNDLE
    assert truststore.asked == ["/global-bundle.pem"]


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [(503, b"", "CONDVEST_RDS_BUNDLE=FILE"), (200, b"<html>", "gave no certificates")],
)
def test_what_is_no_bundle_is_not_kept(truststore, tmp_path, status, content, message):
    truststore.status, truststore.content = status, content
    with pytest.raises(SystemExit, match=message):
        finding.rds_bundle(tmp_path)
    truststore.status, truststore.content = 200, BUNDLE
    assert finding.rds_bundle(tmp_path).read_bytes() == BUNDLE


def test_libraries_for_linux_are_stripped_by_what_knows_them(tmp_path, monkeypatch):
    """macOS has a strip that does not know ELF, and a strip for x86-64 knows no arm64."""
    for name in ("strip", "llvm-strip"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    found = [Path(stripping.tool(arch)).name for arch in ("x86_64", "arm64")]
    assert found == ["strip", "llvm-strip"]
    monkeypatch.setattr("sys.platform", "darwin")
    assert Path(stripping.tool("x86_64")).name == "llvm-strip"
    (tmp_path / "llvm-strip").unlink()
    assert stripping.tool("x86_64") is None


def test_a_library_that_strip_would_break_stays_as_it_was(tmp_path, monkeypatch):
    """A segment at address 0x2000 lies at offset 0x1000; one byte further the loader refuses it."""

    def library(offset):
        head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        return head + struct.pack("<IIQQQQQQ", 1, 5, offset, 0x2000, 0x2000, 1, 1, 0x1000)

    assert stripping.is_loadable(library(0x1000))
    assert not stripping.is_loadable(library(0x1001))
    strip = tmp_path / "strip"
    strip.write_text('#!/bin/sh\ncp "$(dirname "$4")/to-be" "$3"\n')
    strip.chmod(0o755)
    monkeypatch.setattr(stripping, "tool", lambda _: str(strip))
    path, to_be = tmp_path / "one.so.2", tmp_path / "to-be"
    path.write_bytes(b"as it was")
    to_be.write_bytes(library(0x1001))
    stripping.strip(tmp_path, "x86_64")
    assert path.read_bytes() == b"as it was"
    to_be.write_bytes(library(0x1000))
    stripping.strip(tmp_path, "x86_64")
    assert path.read_bytes() == library(0x1000)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["one.so.2", "strip", "to-be"]


def library(folder, *versions):
    """Write what a library names of the C library's versions."""
    path = folder / "numpy/core.so"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x7fELF" + b"\0".join(f"GLIBC_{version}".encode() for version in versions))
    return path


@pytest.mark.parametrize(("part", "newest"), [("layer", "2.34"), ("function", "2.34"), ("image", "2.36")])
def test_a_library_that_the_runtime_could_not_load_is_not_shipped(tmp_path, part, newest):
    library(tmp_path, "2.2.5", newest, "2.17")
    contents._check_c_library(part, tmp_path)
    library(tmp_path, "2.2.5", "2.38", "2.4")
    with pytest.raises(SystemExit, match=rf"numpy/core.so needs glibc 2.38; the {part} runs on {newest}"):
        contents._check_c_library(part, tmp_path)


def test_what_a_real_library_needs_is_read():
    """This interpreter's numpy, which is built for a C library of 2.17 at least and none of tomorrow."""
    import numpy as np  # noqa: PLC0415  # its file is what counts

    found = [stripping.needed_glibc(path.read_bytes()) for path in Path(np.__file__).parent.rglob("*.so")]
    assert (2, 2) < max(found) <= (2, 36)


def test_a_checkout_without_a_part_is_not_packed(monkeypatch, tmp_path):
    """What is left would import until the night."""
    monkeypatch.setattr(contents, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="the checkout is not complete"):
        contents.ours("image")


def test_the_image_holds_every_service_of_aws_that_is_asked():
    """Of hundreds: one that the code asks for and the image lacks would be missed on AWS alone."""
    root = Path(__file__).parents[3]
    layers = ("batch_layer", "serving_layer", "speed_layer", "condvest")
    code = "".join(path.read_text() for layer in layers for path in root.glob(f"{layer}/**/*.py"))
    asked = set(re.findall(r'\baws\.client\("([a-z0-9-]+)"\)|\bclient\("([a-z0-9-]+)"\)', code))
    services = {name for names in asked for name in names if name}
    assert {"s3", "sns", "rds"} <= services
    unused = [re.compile(pattern) for pattern in contents.UNUSED["image"]]
    paths = {name: f"botocore/data/{name}/2010-03-31/service-2.json.gz" for name in services}
    assert [name for name, path in paths.items() if any(one.search(path) for one in unused)] == []
