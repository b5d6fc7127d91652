"""What the benchmarks run on, and how much memory a piece of work takes."""

import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

LIBRARIES = ("numpy", "pandas", "polars", "duckdb", "pyarrow")


def describe():
    """Return the machine's description, short enough for a line."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _cpu():
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory(work):
    """Call ``work``; return what it returned and the MiB by which memory grew meanwhile at most.

    None MiB where the system does not tell (it does on Linux).
    """
    if sys.platform != "linux":
        return work(), None
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # sets the peak to what is held now
    before = _status("VmRSS")
    result = work()
    return result, round((_status("VmHWM") - before) / 1024)


def server_seconds(home):
    """Return the processor seconds that an embedded server and its children took; None but on Linux."""
    if sys.platform != "linux":
        return None
    [pid] = {int(path.read_text(encoding="ascii").split()[0]) for path in Path(home).rglob("postmaster.pid")}
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = path.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:  # it has ended
            continue
        fields = rest.split()
        if int(path.parent.name) == pid:
            ticks += sum(map(int, fields[11:15]))  # its own, and those of children that have ended
        elif int(fields[1]) == pid:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def processor_clock(home):
    """Return a clock: the seconds that this process and, on Linux, an embedded server have taken."""
    return lambda: time.process_time() + (server_seconds(home) or 0.0)


def busy(home, work):
    """Return the seconds that a piece of work, its server's too, would take if it kept all cores busy.

    That is its limit on this machine: less would need less work. None but on Linux.
    """
    before, own = server_seconds(home), time.process_time()
    result = work()
    if before is None:
        return result, None
    return result, (server_seconds(home) - before + time.process_time() - own) / os.cpu_count()


def touch_memory(mib):
    """Write to so much memory and give it back, so that the machine has it ready for what comes next.

    The host of a virtual machine may take back memory that has been free for seconds, and is slow to give
    it again: slower than anything that is measured here. To be called before each contender alike.
    """
    np.empty(mib << 20, dtype=np.uint8).fill(1)


def _status(name):
    """Return a figure of the kernel's on this process, in KiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"/proc/self/status has no {name}")
