"""Condvest: a whole market's daily prices, kept ready for backtesting.

>>> import condvest
>>> table = condvest.bars("AAPL", interval=13)  # doctest: +SKIP

A name is loaded when it is first used, so that the command line, whose modules are in this package too, does
not wait for the Python API.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from condvest.api import Published, bars, connected, published, published_files
    from condvest.batch_layer.shared.errors import (
        BatchLayerError,
        CondvestError,
        DatabaseUnavailable,
        PublishedError,
        PublishedUnavailable,
        UnknownSymbol,
        UsageError,
    )
    from condvest.batch_layer.shared.settings import INTERVALS, Settings
    from condvest.facts import dividends, instruments, sessions, splits, universe
    from condvest.frames import frame, panel
    from condvest.loading import load
    from condvest.states import status
    from condvest.watching import watch

_MODULES = {
    "condvest.batch_layer.shared.settings": ("INTERVALS", "Settings"),
    "condvest.batch_layer.shared.errors": (
        "BatchLayerError",
        "CondvestError",
        "DatabaseUnavailable",
        "PublishedError",
        "PublishedUnavailable",
        "UnknownSymbol",
        "UsageError",
    ),
    "condvest.api": ("Published", "bars", "connected", "published", "published_files"),
    "condvest.facts": ("dividends", "instruments", "sessions", "splits", "universe"),
    "condvest.frames": ("frame", "panel"),
    "condvest.loading": ("load",),
    "condvest.states": ("status",),
    "condvest.watching": ("watch",),
}
"""Module to the public names that it holds; pandas is imported by `condvest.frames` alone."""

_SUBMODULES = ("errors",)
"""Public modules, loaded when they are first named."""

_HOLDER = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "INTERVALS",
    "BatchLayerError",
    "CondvestError",
    "DatabaseUnavailable",
    "Published",
    "PublishedError",
    "PublishedUnavailable",
    "Settings",
    "UnknownSymbol",
    "UsageError",
    "bars",
    "connected",
    "dividends",
    "frame",
    "instruments",
    "load",
    "panel",
    "published",
    "published_files",
    "sessions",
    "splits",
    "status",
    "universe",
    "watch",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # any public name
    """Load a public name (PEP 562)."""
    if name in _SUBMODULES:
        return importlib.import_module(f"condvest.{name}")
    if name not in _HOLDER:
        raise AttributeError(f"module 'condvest' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOLDER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
