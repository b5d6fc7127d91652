"""Make what is shipped: python packing.py layer|function|serving|image [--arch A] [--python V] [--out DIR].

The same inputs give the same bytes: versions and hashes come from requirements.txt, files are sorted and
bear one date, byte code is compiled by one process in one order. What is built is described by a manifest,
and not built again while nothing that goes into it has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import finding
import stripping

HERE = Path(__file__).resolve().parent  # the caller may name it by way of ".."
ROOT = HERE.parents[2]
REQUIREMENTS = {
    "layer": ROOT / "batch_layer/fetching/requirements.txt",
    "function": ROOT / "batch_layer/fetching/requirements.txt",
    "serving": ROOT / "serving_layer/requirements.txt",
    "image": ROOT / "batch_layer/processing/requirements.txt",
}
DATE = (1980, 1, 1, 0, 0, 0)

PLATFORMS = {
    "x86_64": [
        "manylinux_2_28_x86_64",
        "manylinux_2_27_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_17_x86_64",
    ],
    "arm64": [
        "manylinux_2_28_aarch64",
        "manylinux_2_27_aarch64",
        "manylinux2014_aarch64",
        "manylinux_2_17_aarch64",
    ],
}
PLACES = {"layer": "/opt/python", "function": "/var/task", "serving": "/var/task", "image": "/app"}
"""Where the parts lie on AWS; tracebacks name it."""

LIMITS = {"layer": 45, "function": 9, "serving": 65, "image": 100}
"""Megabytes (10^6 bytes) zipped; the build fails past them."""
UNPACKED = {"layer": 130, "function": 30, "serving": 220, "image": 225}
"""Megabytes unpacked. Layer and function have 160 together, of 262; the image has 350 with its base."""
GLIBC = {"layer": (2, 34), "function": (2, 34), "serving": (2, 34), "image": (2, 36)}
"""The C library that is there: Amazon Linux 2023's in Lambda's runtimes, Debian 12's in the image."""

NAMES = {"layer": ("layer.zip", "layer.json"), "function": ("functions.zip", "packages.json"),
         "serving": ("serving.zip", "serving.json"), "image": ("app.zip", "app.json")}  # fmt: skip

UNUSED = json.loads((HERE / "unused.json").read_text())
"""What no code path imports, as regular expressions on the path; tests run what is left."""

_KERNEL = ("batch_layer/__init__.py", "batch_layer/database", "batch_layer/shared")
_LAYERS = {
    "function": ("__init__.py", *_KERNEL, "batch_layer/fetching"),
    "serving": ("__init__.py", *_KERNEL, "serving_layer"),
    "image": (
        "",
        *_KERNEL,
        "batch_layer/fetching",
        "batch_layer/operations",
        "batch_layer/processing",
        "serving_layer",
        "speed_layer",
    ),
}
OURS = {part: tuple(f"condvest/{path}" for path in paths) for part, paths in _LAYERS.items()}
"""What of the package a part holds: `condvest` links to the layers, and a link is not followed on the way."""

NOT_OURS = re.compile(
    r"/(terraform|deployment_packages|container_images|__pycache__)(/|$)|requirements\.txt$"
)


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=tuple(LIMITS))
    parser.add_argument("--arch", choices=PLATFORMS, default="x86_64")
    parser.add_argument("--python", default="3.13", help="of the Lambda runtime")
    parser.add_argument("--out", type=Path, default=ROOT / "build/lambda")
    options = parser.parse_args()
    interpreter = finding.interpreter(options.python)
    target, inputs = options.out / NAMES[options.part][0], _inputs(options, interpreter)
    if _is_built(options, target, inputs):
        print(f"{target.name}: nothing changed since it was built", file=sys.stderr)
        print(target)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch)
        site = tree / "python" if options.part == "layer" else tree
        _install(interpreter, options.part, site, options.arch)
        if options.part in OURS:
            _copy_ours(options.part, site)
        _prune(site, UNUSED[options.part])
        stripping.strip(site, options.arch)
        _check_c_library(options.part, site)
        _compile(interpreter, site, options.part)
        sizes = _zip(tree, target)
    _check(options.part, target, sizes)
    _describe(options, target, inputs, sum(sizes.values()))
    print(target)


def _inputs(options: argparse.Namespace, interpreter: str) -> str:
    """Return the digest of all that decides what is built, the tools among it."""
    part, strip = options.part, stripping.tool(options.arch)
    tools = [[interpreter, "-VV"], *([[strip, "-V"]] if strip else [])]
    versions = [subprocess.run(tool, capture_output=True, check=False).stdout for tool in tools]
    words = [options.arch, zlib.ZLIB_RUNTIME_VERSION, _requirements(part), *map(str, versions)]
    paths = [HERE / "packing.py", HERE / "stripping.py", HERE / "unused.json"]
    if part in OURS:
        paths += [ROOT / "pyproject.toml", *_ours(part)]
        paths += [finding.rds_bundle(ROOT)] if _logs_in(part) else []
        words += [path.relative_to(ROOT).as_posix() for path in _ours(part)]
    digest = hashlib.sha256(json.dumps(words).encode())
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _is_built(options: argparse.Namespace, target: Path, inputs: str) -> bool:
    described = options.out / NAMES[options.part][1]
    if not (described.exists() and target.exists()):
        return False
    description = json.loads(described.read_text())
    sha256 = hashlib.sha256(target.read_bytes()).hexdigest()
    return [description.get(name) for name in ("path", "inputs", "sha256")] == [
        str(target.resolve()),
        inputs,
        sha256,
    ]


def _requirements(part: str) -> str:
    text = REQUIREMENTS[part].read_text()
    parts: dict[str, str] = dict(
        re.findall(r"^# -- (\w+) --\n(.*?)(?=^# -- |\Z)", text, re.MULTILINE | re.DOTALL)
    )
    return parts[part]


def _install(interpreter: str, part: str, site: Path, arch: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(_requirements(part))
        file.flush()
        platforms = [word for name in PLATFORMS[arch] for word in ("--platform", name)]
        subprocess.run(
            [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--no-compile", "--only-binary=:all:", "--require-hashes", "--implementation", "cp",
             "--target", str(site), *platforms, "-r", file.name],
            check=True,
        )  # fmt: skip


def _ours(part: str) -> list[Path]:
    """Return the files of our own code that a part holds, in order."""
    paths = []
    for name in OURS[part]:
        source = ROOT / name
        if not source.exists():
            sys.exit(f"{source} is missing: the checkout is not complete, nothing was built")
        paths += [source] if source.is_file() else sorted(source.rglob("*"))
    return [
        path for path in paths if path.is_file() and not NOT_OURS.search(path.relative_to(ROOT).as_posix())
    ]


def _logs_in(part: str) -> bool:
    """Return whether a part logs in to the database, and so needs the authorities of RDS."""
    return "condvest/batch_layer/fetching" in OURS[part]


def _copy_ours(part: str, site: Path) -> None:
    for path in _ours(part):
        inner = path.relative_to(ROOT)
        (site / inner).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, site / inner)
    if _logs_in(part):
        shutil.copyfile(finding.rds_bundle(ROOT), site / "condvest/batch_layer/rds-bundle.pem")
    if "condvest/serving_layer" in OURS[part]:
        # What an installation leaves, by which the program knows its version.
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        about = site / f"condvest-{version}.dist-info/METADATA"
        about.parent.mkdir()
        about.write_text(f"Metadata-Version: 2.1\nName: condvest\nVersion: {version}\n")


def _prune(site: Path, unused: list[str]) -> None:
    rule = re.compile("|".join(f"(?:{rule})" for rule in unused))
    for path in sorted(site.rglob("*"), reverse=True):
        inner = path.relative_to(site).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif rule.search(inner):
            path.unlink()
        elif path.name == "METADATA":
            # Name and version are asked for; the rest is the project's whole README.
            head = re.findall(r"^(?:Metadata-Version|Name|Version): .*$", path.read_text(), re.MULTILINE)[:3]
            path.write_text("\n".join(head) + "\n")


def _compile(interpreter: str, site: Path, part: str) -> None:
    """Compile all modules, since neither a function nor a job can keep byte code.

    The source of others' is left out then. Unchecked: the byte code holds no time, and is taken without a
    look at the source.
    """
    if part not in OURS:
        _compileall(interpreter, site, site, part)
        return
    for path in sorted(site.iterdir()):
        if path.name == "condvest":
            _compileall(interpreter, site, path, part)
            continue
        _compileall(interpreter, site, path, part, "-b")
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if source.suffix == ".py" and source.with_suffix(".pyc").exists():
                source.unlink()


def _compileall(interpreter: str, site: Path, path: Path, part: str, *options: str) -> None:
    subprocess.run(
        [interpreter, "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash",
         "-s", str(site), "-p", PLACES[part], *options, str(path)],
        check=True, env=os.environ | {"PYTHONHASHSEED": "0"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _zip(tree: Path, target: Path) -> Counter[str]:
    """Write the tree; return the unpacked size of each part (folder or file on top)."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            inner = path.relative_to(tree)
            info = zipfile.ZipInfo(inner.as_posix(), DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if ".so" in path.name else 0o644) << 16
            archive.writestr(info, path.read_bytes())
            top = inner.parts[1] if inner.parts[0] == "python" else inner.parts[0]
            sizes[top] += path.stat().st_size
    return sizes


def _check_c_library(part: str, site: Path) -> None:
    """End if a library needs a newer C library than there is: it would be built, and fail at its import."""
    for path in sorted(site.rglob("*.so*")):
        needed = stripping.needed_glibc(path.read_bytes())
        if needed > GLIBC[part]:
            have, want = (".".join(map(str, version)) for version in (GLIBC[part], needed))
            sys.exit(
                f"{path.relative_to(site)} needs glibc {want}; the {part} runs on {have}: nothing was built"
            )


def _check(part: str, target: Path, sizes: Counter[str]) -> None:
    zipped, unpacked = target.stat().st_size / 1e6, sum(sizes.values()) / 1e6
    print(f"{target.name}: {zipped:.1f} MB zipped, {unpacked:.1f} MB unpacked", file=sys.stderr)
    if zipped <= LIMITS[part] and unpacked <= UNPACKED[part]:
        return
    for name, size in sizes.most_common(10):
        print(f"  {size / 1e6:7.1f} MB  {name}", file=sys.stderr)
    target.rename(target.with_suffix(".too-large"))
    sys.exit(
        f"the {part} may have {LIMITS[part]} MB zipped and {UNPACKED[part]} MB unpacked: nothing was built"
    )


def _describe(options: argparse.Namespace, target: Path, inputs: str, unpacked: int) -> None:
    content = target.read_bytes()
    manifest = {
        "path": str(target.resolve()),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "bytes_unpacked": unpacked,
        "architecture": options.arch,
        "runtime": f"python{options.python}",
        "inputs": inputs,
    }
    (options.out / NAMES[options.part][1]).write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
