"""A machine that loses power: what a disk would hold of the files that Condvest writes.

Only what was synced is sure to be there: the bytes of a file that was synced, the names in a folder that was
synced, each as at its last sync. What was not may be there all the same, or not: that is drawn by lot, for
each file and folder. The database keeps what it has committed, and rolls the rest back: PostgreSQL's promise.
"""

import os
import shutil
import stat
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest


class PowerCut(BaseException):
    """The machine is off: nothing catches it, and nothing more is written."""


class Disk:
    """The disk under one folder.

    Attributes:
        instants: how many there were so far: syncs, and messages to the database.
    """

    def __init__(self, root, chosen):
        """Begin with a folder whose content is all on the disk.

        Args:
            root: the folder.
            chosen: a `random.Random`, for what was not synced.
        """
        self.instants = 0
        self._root = Path(root)
        self._chosen = chosen
        self._lock = threading.Lock()
        self._open_descriptors = []  # open, so that no other file gets the number of one that is gone
        self._synced = {}
        self._image = None
        self._sync_all(self._root)

    @contextmanager
    def cut_at(self, instant):
        """Cut the power at the nth instant, or at the end of the block if there are fewer.

        Afterwards the folder holds what the disk held.
        """
        fsync, wait = os.fsync, psycopg.Connection.wait

        def synced(descriptor):
            with self._lock:
                self._tick(instant)
                self._sync(descriptor)

        def waited(connection, *arguments, **options):
            with self._lock:
                self._tick(instant)
            return wait(connection, *arguments, **options)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "fsync", synced)
            patched.setattr(psycopg.Connection, "wait", waited)
            with suppress(PowerCut):
                yield
            image = self._image or self._content(self._root)
        assert os.fsync is fsync
        self._put_back(image)

    def _tick(self, instant):
        if self._image is None and self.instants == instant:
            self._image = self._content(self._root)
        if self._image is not None:
            raise PowerCut
        self.instants += 1

    def _sync_all(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        self._sync(descriptor)
        os.close(descriptor)
        if path.is_dir():
            for entry in path.iterdir():
                self._sync_all(entry)

    def _sync(self, descriptor):
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(descriptor) as entries:
                kept = {entry.name: entry.inode() for entry in entries}
        else:
            # Opened anew, for a file that is written may not be read by its own descriptor.
            kept = Path(f"/proc/self/fd/{descriptor}").read_bytes()
        if status.st_ino not in self._synced:
            self._open_descriptors.append(os.dup(descriptor))
        self._synced[status.st_ino] = kept

    def _content(self, path, number=None):
        """Return what the disk holds of a folder: names, to bytes or to the same of a folder."""
        number = path.stat().st_ino if number is None else number
        is_there = path.exists() and path.stat().st_ino == number
        now = {entry.name: entry.lstat().st_ino for entry in path.iterdir()} if is_there else {}
        names = self._drawn(number, now, {})
        content = {}
        for name, inode in sorted(names.items()):
            entry = path / name
            is_folder = isinstance(self._synced.get(inode), dict) or (
                now.get(name) == inode and entry.is_dir()
            )
            if is_folder:
                content[name] = self._content(entry, inode)
            else:
                current = entry.read_bytes() if now.get(name) == inode else self._synced.get(inode, b"")
                content[name] = self._drawn(inode, current, b"")
        return content

    def _drawn(self, number, current, nothing):
        synced = self._synced.get(number, nothing)
        return self._chosen.choice((synced, current))

    def _put_back(self, image):
        shutil.rmtree(self._root)
        _write(self._root, image)
        for descriptor in self._open_descriptors:
            os.close(descriptor)


def _write(path, content):
    if isinstance(content, dict):
        path.mkdir()
        for name, below in content.items():
            _write(path / name, below)
    else:
        path.write_bytes(content)
