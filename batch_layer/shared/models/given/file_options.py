"""What a person says about files that the files do not say themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Midnight = Literal["exchange", "utc"]
SymbolsMean = Literal["date", "today"]
"""How a list means its symbols: as each was carried on the row's date, or as it is carried when the list is
fetched. A list of today's names gives Facebook's prices of 2021 under META, one of names of the date
under FB."""

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
        symbols_mean: how the rows' symbols are meant; of today is when the file is read.
    """

    symbol: str | None = None
    symbol_from_path: bool = False
    midnight: Midnight = "exchange"
    prices: Prices | None = None
    splits: tuple[tuple[str, str, float], ...] = ()
    symbols_mean: SymbolsMean = "date"

    def as_json(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> FileOptions:
        """Return the options of which `as_json` gave the values, or an earlier version that knew fewer."""
        splits = tuple((str(symbol), str(date), float(ratio)) for symbol, date, ratio in values["splits"])
        return cls(
            values["symbol"],
            values["symbol_from_path"],
            values["midnight"],
            values["prices"],
            splits,
            values.get("symbols_mean", "date"),
        )


AS_THEY_ARE = FileOptions()
"""Nothing was said."""

AS_TRADED = FileOptions(prices="as-traded")
"""Prices are as traded beyond doubt, or were taken for it when nobody could say otherwise."""
