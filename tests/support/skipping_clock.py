"""A clock that skips what a process of Python sleeps, for that process and for who watches it.

A ``sitecustomize`` on the process's path changes what Python tells of time and how long it waits, so the code
itself is the one that is shipped. Work and sockets take their real time: a slow machine makes nothing late.

    now 0 s: sleep(12) -> now 12 s, at once; work of 0.3 s -> now 12.3 s
"""

import mmap
import struct
import time

_SITE = """
import mmap, os, signal, struct, threading, time

with open({skipped!r}, "r+b") as _file:
    _skipped = mmap.mmap(_file.fileno(), 8)
_time, _monotonic, _setitimer, _lock = time.time, time.monotonic, signal.setitimer, threading.Lock()
_alarm = None

def _seconds():
    return struct.unpack("d", _skipped)[0]

def _sleep(seconds):
    until = time.time() + seconds
    is_due = _alarm is not None and _alarm <= until
    with _lock:
        wanted = (_alarm if is_due else until) - _time()
        _skipped[:] = struct.pack("d", max(_seconds(), wanted))
    if is_due:
        os.kill(os.getpid(), signal.SIGALRM)

def _set(which, seconds, *rest):
    global _alarm
    _alarm = time.time() + seconds if seconds else None
    return _setitimer(which, seconds, *rest)

time.time = lambda: _time() + _seconds()
time.monotonic = lambda: _monotonic() + _seconds()
time.sleep, signal.setitimer = _sleep, _set
"""


class SkippingClock:
    """The seconds since the epoch, for a process whose PYTHONPATH holds ``folder``."""

    def __init__(self, folder):
        skipped = folder / "skipped"
        skipped.write_bytes(struct.pack("d", 0.0))
        with skipped.open("r+b") as file:
            self._skipped = mmap.mmap(file.fileno(), 8)
        (folder / "sitecustomize.py").write_text(_SITE.format(skipped=str(skipped)))

    def __call__(self):
        return time.time() + struct.unpack("d", self._skipped)[0]
