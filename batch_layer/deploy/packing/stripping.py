"""Take the debug symbols out of libraries: nothing reads them at run time, and they are much of the layer."""

from __future__ import annotations

import platform
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

GNU = {"x86_64": "x86_64", "arm64": "aarch64"}
"""What GNU calls the architectures of Lambda."""
_LOAD = 1


def tool(arch: str) -> str | None:
    """Return what strips libraries for Linux of an architecture; another system's own strip does not."""
    is_own = sys.platform == "linux" and platform.machine() == GNU[arch]
    names = [*(["strip"] if is_own else []), f"{GNU[arch]}-linux-gnu-strip", "llvm-strip"]
    return next(filter(None, map(shutil.which, names)), None)


def strip(site: Path, arch: str) -> None:
    """Strip every library below a folder; one that could not be loaded any more stays as it was."""
    program = tool(arch)
    if program is None:
        print(f"no strip for {arch} is installed (binutils, llvm): debug symbols stay in", file=sys.stderr)
        return
    for path in sorted(site.rglob("*.so*")):
        stripped = path.with_name(f"{path.name}.stripped")
        subprocess.run([program, "--strip-unneeded", "-o", str(stripped), str(path)], check=True)
        content = stripped.read_bytes()
        stripped.unlink()
        if is_loadable(content):
            path.write_bytes(content)


def needed_glibc(content: bytes) -> tuple[int, int]:
    """Return the newest version of the C library that a library names among what it needs; (0, 0) if none."""
    named = re.findall(rb"GLIBC_(\d+)\.(\d+)", content)
    return max(((int(major), int(minor)) for major, minor in named), default=(0, 0))


def is_loadable(content: bytes) -> bool:
    """Tell whether the loader would map a 64-bit library: address and offset of each segment agree.

    Wheels' libraries were edited by patchelf, and strip may move what that has appended.
    https://man7.org/linux/man-pages/man5/elf.5.html
    """
    (offset,) = struct.unpack_from("<Q", content, 32)
    size, number = struct.unpack_from("<HH", content, 54)
    for at in range(offset, offset + size * number, size):
        kind, _, file_offset, address, _, _, _, alignment = struct.unpack_from("<IIQQQQQQ", content, at)
        if kind == _LOAD and (address - file_offset) % max(alignment, 1):
            return False
    return True
