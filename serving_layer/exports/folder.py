"""A folder that is there only when it is whole: built beside its destination, and renamed into it."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.utils.durable import sync_names

MARKER = "condvest-export.json"
"""File of each export that says what it is, and that it may be replaced by a newer one."""


@contextmanager
def new_folder(destination: Path, kind: str) -> Iterator[Path]:
    """Yield an empty folder to fill, which takes the place of ``destination`` at the end of the block.

    An earlier export of the same kind is replaced, once the new one is whole. On an exception nothing
    changes.

    Args:
        destination: where the export is wanted; its parents are made.
        kind: of the export, such as ``zipline``.

    Raises:
        UsageError: something else is there, or the folder cannot be written.
    """
    check_destination(destination, kind)
    mark = secrets.token_hex(4)
    building, before = (
        destination.with_name(f".{destination.name}.{mark}.{what}") for what in ("new", "old")
    )
    try:
        building.mkdir(parents=True)
        yield building
        if destination.exists():
            destination.rename(before)
        try:
            building.rename(destination)
        except OSError:
            if before.exists():
                before.rename(destination)
            raise
        sync_names(destination.parent)
    except OSError as error:
        raise UsageError(f"{destination}: the export cannot be written: {error}") from error
    finally:
        for leftover in (building, before):
            shutil.rmtree(leftover, ignore_errors=True)


def check_destination(destination: Path, kind: str) -> None:
    """Refuse a destination that holds anything but an earlier export of the same kind.

    Raises:
        UsageError: something else is there.
    """
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise UsageError(f"{destination} is no folder: name one that is not there yet")
    if not destination.exists() or not any(destination.iterdir()):
        return
    made_before = kind_of(destination)
    if made_before != kind:
        what = "something else" if made_before is None else f"an export for {made_before}"
        raise UsageError(f"{destination} holds {what}: name a folder that is not there yet, or remove it")


def kind_of(destination: Path) -> str | None:
    """Return the kind of the export in a folder; None if it is none."""
    try:
        marker = json.loads((destination / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    kind = marker.get("format") if isinstance(marker, dict) else None
    return kind if isinstance(kind, str) else None


def write_marker(folder: Path, kind: str, facts: Mapping[str, object]) -> None:
    """Say in a folder what it holds."""
    text = json.dumps({"format": kind, **facts}, indent=2)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")
