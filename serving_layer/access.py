"""Keys of clients: made, kept as digests, compared in constant time."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from condvest.batch_layer.shared.errors import SettingsError, UsageError
from condvest.batch_layer.shared.utils.ownership import give, make_folder

PREFIX = "cv_"


class Keys:
    """The keys of one home, in a file that only its owner can read; a key's text is never kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of_home(cls, home: Path) -> Keys:
        """Return the keys of a home."""
        return cls(home / "serving" / "keys.json")

    def read(self) -> dict[str, dict[str, str]]:
        """Return the keys by name: ``digest`` (SHA-256, hexadecimal), ``added``, ``expires``, ``per_minute``.

        The last two may be "", for none.

        Raises:
            SettingsError: the file is damaged.
        """
        try:
            content = json.loads(self._path.read_text())
            return {
                str(name): {str(key): str(value) for key, value in each.items()}
                for name, each in content.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, OSError) as error:
            raise SettingsError(
                f"the file of keys {self._path} cannot be read ({error}); remove it and add keys"
            ) from error

    def add(
        self,
        name: str,
        now: dt.datetime,
        expires: dt.date | None = None,
        per_minute: int | None = None,
    ) -> str:
        """Make a key and return its text, which is shown once and never again.

        Raises:
            UsageError: there is a key of that name.
        """
        keys = self.read()
        if name in keys:
            raise UsageError(
                f"there is a key named {name!r} already; remove it first, or choose another name"
            )
        key = PREFIX + secrets.token_urlsafe(32)
        keys[name] = {
            "digest": _digest(key),
            "added": now.date().isoformat(),
            "expires": expires.isoformat() if expires else "",
            "per_minute": str(per_minute or ""),
        }
        self._write(keys)
        return key

    def remove(self, name: str) -> None:
        """Forget a key.

        Raises:
            UsageError: there is none of that name.
        """
        keys = self.read()
        if keys.pop(name, None) is None:
            raise UsageError(f"no key is named {name!r}; there are: {', '.join(keys) or 'none'}")
        self._write(keys)

    def _write(self, keys: Mapping[str, Mapping[str, str]]) -> None:
        """Put the file in place whole; one that root writes belongs to the owner of the home."""
        folder = self._path.parent
        make_folder(folder, mode=0o700)
        descriptor, scratch = tempfile.mkstemp(dir=folder, prefix=".part-")  # 0600, and follows no link
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(keys, file, indent=1)
                file.flush()
                os.fsync(descriptor)
                give(descriptor, folder)
            Path(scratch).replace(self._path)
        finally:
            Path(scratch).unlink(missing_ok=True)


def named(keys: Mapping[str, Mapping[str, str]], given: str, today: dt.date) -> str | None:
    """Return the name of the key that was given; None if it is no key, or has expired.

    Every key is compared, so that the time it takes tells nothing.
    """
    digest = _digest(given)
    holder = None
    for name, each in keys.items():
        is_good = hmac.compare_digest(each["digest"], digest)
        if is_good and (not each["expires"] or today.isoformat() <= each["expires"]):
            holder = name
    return holder


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
