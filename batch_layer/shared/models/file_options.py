"""What a person says about files that the files do not say themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Midnight = Literal["exchange", "utc"]
Prices = Literal["as-traded", "split-adjusted", "adjusted"]


@dataclass(frozen=True)
class FileOptions:
    """How a file is read; archived with it, so that a rebuild reads it the same way.

    Attributes:
        symbol: the symbol of every row of a file without a column of symbols; None if nobody said it.
        symbol_from_path: whether the folder or the file's name may say it then.
        midnight: in which zone an instant that stands for a session is 00:00: the exchange's or UTC.
        prices: what the prices and volumes are; None if nobody said: then as traded, and a file whose own
            splits deny that is refused.
        splits: symbol, ex-date (ISO) and ratio (new shares per old) of the splits by which split-adjusted
            prices are brought back to prices as traded.
    """

    symbol: str | None = None
    symbol_from_path: bool = False
    midnight: Midnight = "exchange"
    prices: Prices | None = None
    splits: tuple[tuple[str, str, float], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> FileOptions:
        """Return the options of which `as_json` gave the values."""
        splits = tuple((str(symbol), str(date), float(ratio)) for symbol, date, ratio in values["splits"])
        return cls(values["symbol"], values["symbol_from_path"], values["midnight"], values["prices"], splits)


AS_THEY_ARE = FileOptions()
"""Nothing was said."""

AS_TRADED = FileOptions(prices="as-traded")
"""Prices are as traded beyond doubt, or were taken for it when nobody could say otherwise."""
