"""A collector's process that lives by the clock of an emulated vendor in another one."""

import datetime as dt

import httpx


class Remote:
    """The clock of a `StreamEmulator` in another process."""

    def __init__(self, url):
        self._client = httpx.Client(base_url=url, timeout=60)

    def _ask(self, what, **values):
        return self._client.post(f"/_emulator/{what}", json=values).raise_for_status().json()

    def next_instant(self, seconds):
        return dt.datetime.fromisoformat(self._ask("next", seconds=seconds)["now"])

    def advance(self, seconds, port):
        return self._ask("advance", seconds=seconds, port=port)


def follow(url):
    """Let this process wait for the vendor at a URL and for nothing else; before anything is imported."""
    from condvest.batch_layer.shared.utils import clock  # noqa: PLC0415  # who imports it takes its function by name

    remote = Remote(url)
    start, lockstep = remote.next_instant(0), None
    clock.utc_now = lambda: start if lockstep is None else lockstep.now
    from condvest.speed_layer.feeds.inbox import Inbox  # noqa: PLC0415
    from condvest.speed_layer.feeds.massive import massive_stream  # noqa: PLC0415

    wait, opened = Inbox.wait, massive_stream.MassiveStream.open

    def waited(inbox, seconds):
        Inbox.wait = wait  # what waits for the handshake waits in earnest
        lockstep.wait(inbox, seconds)
        Inbox.wait = waited

    def open_(self, now):
        lockstep.connection = opened(self, now)
        return lockstep.connection

    Inbox.wait, massive_stream.MassiveStream.open = waited, open_
    from tests.support.worlds.streaming import Lockstep  # noqa: PLC0415  # its imports take what was put here

    lockstep = Lockstep(None, remote, start)
