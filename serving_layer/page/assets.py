"""The page's files, as they lie in the package: hand-written, served without a build."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_MEDIA_TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """One file of the page.

    Attributes:
        content: its bytes.
        media_type: what they are.
        tag: the digest of the bytes, as a strong entity tag.
    """

    content: bytes
    media_type: str
    tag: str


@cache
def assets() -> Mapping[str, Asset]:
    """Return every file of the page by its name, with slashes: ``index.html``, ``views/chart.js``."""
    return dict(_below(files(__package__) / "static", ""))


def _below(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    listed: list[tuple[str, Asset]] = []
    for each in folder.iterdir():
        name = prefix + each.name
        suffix = name.rpartition(".")[2]
        if each.is_dir():
            listed += _below(each, f"{name}/")
        elif suffix in _MEDIA_TYPES:
            content = each.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            listed.append((name, Asset(content, _MEDIA_TYPES[suffix], tag)))
    return listed
