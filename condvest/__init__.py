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
    from batch_layer.shared.errors import BatchLayerError, CondvestError
    from batch_layer.shared.settings import INTERVALS, Settings
    from condvest.api import Published, bars, connected, published, published_files

__all__ = [
    "INTERVALS",
    "BatchLayerError",
    "CondvestError",
    "Published",
    "Settings",
    "bars",
    "connected",
    "published",
    "published_files",
]

_MODULES = {
    "INTERVALS": "batch_layer.shared.settings",
    "Settings": "batch_layer.shared.settings",
    "BatchLayerError": "batch_layer.shared.errors",
    "CondvestError": "batch_layer.shared.errors",
}
"""Name to the module that holds it; the others are in `condvest.api`."""


def __getattr__(name: str) -> Any:  # noqa: ANN401  # any public name
    """Load a public name (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'condvest' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(_MODULES.get(name, "condvest.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
