"""What tells an instrument from others that carried its symbol."""

from __future__ import annotations

import re

_LABEL = re.compile(r"(.+)#([0-9]{1,9})", re.DOTALL)


def label_of(symbol: str, instrument_id: int) -> str:
    """Return the label of an instrument: a symbol that it carried and its id, ``X#12``."""
    return f"{symbol}#{instrument_id}"


def of_label(text: str) -> tuple[str, int] | None:
    """Return the symbol and the instrument of a label; None if the text has not the form of one."""
    match = _LABEL.fullmatch(text)
    return (match[1], int(match[2])) if match else None
