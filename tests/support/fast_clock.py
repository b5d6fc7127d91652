"""A clock that runs FACTOR times as fast, for a process of Python and for who watches it.

A ``sitecustomize`` on the process's path changes what Python tells of time and how long it waits, so the code
itself is the one that is shipped. Sockets keep the real time.
"""

import time

FACTOR = 120

_SITE = """
import signal, time

_time, _monotonic, _sleep, _setitimer = time.time, time.monotonic, time.sleep, signal.setitimer
_began, _since = {began!r}, _monotonic()
time.time = lambda: _began + (_time() - _began) * {factor}
time.monotonic = lambda: _since + (_monotonic() - _since) * {factor}
time.sleep = lambda seconds: _sleep(seconds / {factor})
signal.setitimer = lambda which, seconds, *rest: _setitimer(which, seconds / {factor}, *rest)
"""


class FastClock:
    """The seconds since the epoch, for a process whose PYTHONPATH holds ``folder``."""

    def __init__(self, folder):
        self._began = time.time()
        (folder / "sitecustomize.py").write_text(_SITE.format(began=self._began, factor=FACTOR))

    def __call__(self):
        return self._began + (time.time() - self._began) * FACTOR
