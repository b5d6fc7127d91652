"""Make what is shipped: python packing.py layer|function|serving|image [--arch A] [--python V] [--out DIR].

The same inputs give the same bytes: versions and hashes come from requirements.txt, files are sorted and
bear one date, byte code is compiled by one process in one order. What is built is described by a manifest,
and not built again while nothing that goes into it has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import contents
import finding
import stripping

DATE = (1980, 1, 1, 0, 0, 0)

LIMITS = {"layer": 45, "function": 9, "serving": 65, "image": 100}
"""Megabytes (10^6 bytes) zipped; the build fails past them."""
UNPACKED = {"layer": 130, "function": 30, "serving": 220, "image": 225}
"""Megabytes unpacked. Layer and function have 160 together, of 262; the image has 350 with its base."""
NAMES = {"layer": ("layer.zip", "layer.json"), "function": ("functions.zip", "packages.json"),
         "serving": ("serving.zip", "serving.json"), "image": ("app.zip", "app.json")}  # fmt: skip


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=tuple(LIMITS))
    parser.add_argument("--arch", choices=contents.PLATFORMS, default="x86_64")
    parser.add_argument("--python", default="3.13", help="of the Lambda runtime")
    parser.add_argument("--out", type=Path, default=contents.ROOT / "build/lambda")
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
        contents.assemble(options.part, site, interpreter, options.arch)
        sizes = _zip(tree, target)
    _check(options.part, target, sizes)
    _describe(options, target, inputs, sum(sizes.values()))
    print(target)


def _inputs(options: argparse.Namespace, interpreter: str) -> str:
    """Return the digest of all that decides what is built, the tools among it."""
    part, strip = options.part, stripping.tool(options.arch)
    tools = [[interpreter, "-VV"], *([[strip, "-V"]] if strip else [])]
    versions = [subprocess.run(tool, capture_output=True, check=False).stdout for tool in tools]
    words = [options.arch, zlib.ZLIB_RUNTIME_VERSION, contents.requirements(part), *map(str, versions)]
    paths = [
        contents.HERE / "packing.py",
        contents.HERE / "contents.py",
        contents.HERE / "stripping.py",
        contents.HERE / "unused.json",
    ]
    if part in contents.OURS:
        paths += [contents.ROOT / "pyproject.toml", *contents.ours(part)]
        paths += [finding.rds_bundle(contents.ROOT)] if contents.logs_in(part) else []
        words += [path.relative_to(contents.ROOT).as_posix() for path in contents.ours(part)]
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
