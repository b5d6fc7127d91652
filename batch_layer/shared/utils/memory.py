"""How much memory a process may take."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Of the container: control groups of version 2, and of version 1."""


@cache
def memory_at_hand() -> int:
    """Return the bytes of the machine's memory, or of the container's where that is limited to less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *(limit for path in _LIMITS if (limit := limit_in(path)) is not None)])


def limit_in(path: Path) -> int | None:
    """Return the limit that a file of control groups states, None where it states none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
