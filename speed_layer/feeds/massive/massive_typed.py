"""Frames of minutes that are as they should be, read by their types; pure, and needs the extra ``stream``.

Nearly every frame is an array of plain minutes. Of such a one only the values that are used are read, into
rows of a fixed layout, and on into columns while they are in the processor's cache. A frame that deviates in
anything, by a status, a missing price, a text where a number belongs, is left to `massive_minutes`, which
says what is wrong with it; of what both can read, both read the same.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import nan
from operator import attrgetter
from typing import Annotated, Literal

import msgspec

from condvest.batch_layer.shared.clients.massive.columns import are_words

_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Minute(msgspec.Struct, gc=False):
    """The values that are used of a minute message, by the vendor's names."""

    ev: Literal["AM"]
    sym: str
    s: _Whole
    o: float
    h: float
    l: float  # noqa: E741  # as above
    c: float
    av: float
    op: float = nan
    a: float = nan
    dav: str | None = None
    otc: bool = False


NUMBERS = ("s", "o", "h", "l", "c", "op", "a")

_DECODE = msgspec.json.Decoder(list[_Minute]).decode
_SYMBOL, _VOLUME, _DECIMAL, _OTC = (attrgetter(name) for name in ("sym", "av", "dav", "otc"))
_NUMBERS = {name: attrgetter(name) for name in NUMBERS}


@dataclass(eq=False)
class PlainMinutes:
    """Minutes of frames, in the order in which they came.

    Attributes:
        symbol: of each.
        numbers: by the vendor's name; NaN where a key is absent that may be.
        volume: of the date so far, with its fraction where the vendor gives it.
    """

    symbol: list[str] = field(default_factory=list)
    numbers: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in NUMBERS})
    volume: array[float] = field(default_factory=lambda: array("d"))

    def add(self, frame: bytes) -> int | None:
        """Read a frame; return how many minutes it has, or None, having taken nothing, if it is not plain."""
        if not frame.isascii():  # of what it does not use, msgspec would not notice that it is no text
            return None
        try:
            minutes = _DECODE(frame)
            texts = list(map(_DECIMAL, minutes))
            has_none = texts.count(None) == len(texts)
            volumes = list(map(_VOLUME, minutes) if has_none else map(float, texts))
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
            return None
        symbols = list(map(_SYMBOL, minutes))
        if not are_words(symbols) or any(map(_OTC, minutes)):
            return None
        self.symbol += symbols
        self.volume.fromlist(volumes)
        for name, values in self.numbers.items():
            values.fromlist(list(map(_NUMBERS[name], minutes)))
        return len(minutes)
