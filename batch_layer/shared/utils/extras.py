"""Packages that only some commands need, and that come with an extra of the installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from condvest.batch_layer.shared.errors import SettingsError


@contextmanager
def from_extra(extra: str, what: str) -> Iterator[None]:
    """Import in the block what comes with an extra.

    Args:
        extra: its name in `pyproject.toml`.
        what: what needs it, the beginning of a sentence such as ``S3``.

    Raises:
        SettingsError: a package is not installed; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{what} needs the extra `{extra}`: pip install 'condvest[{extra}]' ({error})"
        ) from error
