"""Symbols that Yahoo is asked for: what may be one, and files of them. How they are spelled: `spellings`."""

from __future__ import annotations

import re
from pathlib import Path

from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.instruments.spellings import SPELLINGS, house_symbol, yahoo_symbol

__all__ = ["MAX_FILE_BYTES", "SPELLINGS", "house_symbol", "is_symbol", "read_symbols", "yahoo_symbol"]

MAX_FILE_BYTES = 1 << 20
"""A file of symbols may have 1 MiB, some 200,000 symbols."""

_SYMBOL = re.compile(r"\^?[A-Za-z0-9]+([.=-][A-Za-z0-9]+)*")
_LONGEST = 32
_SHOWN_LENGTH = 40


def is_symbol(text: str) -> bool:
    """Tell whether a text can be a symbol of either spelling."""
    return len(text) <= _LONGEST and _SYMBOL.fullmatch(text) is not None


def read_symbols(path: Path) -> tuple[str, ...]:
    """Read a file of symbols: UTF-8, separated by lines, commas or white space; ``#`` begins a comment.

    Returns the symbols as written, in the file's order, each of them once.

    Raises:
        InputError: there is no such file, it is too large, not UTF-8, holds no symbol, or something that
            is none; the message names the line.
    """
    symbols: dict[str, None] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        for word in line.partition("#")[0].replace(",", " ").split():
            if not is_symbol(word):
                raise InputError(
                    f"{path}: line {number}: {word[:_SHOWN_LENGTH]!r} is no symbol; write one symbol a line "
                    "(letters and digits, as in AAPL or BRK.B), comments after #"
                )
            symbols[word] = None
    if not symbols:
        raise InputError(f"{path}: holds no symbol; write one a line")
    return tuple(symbols)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the symbols in {path}: {error.strerror or error}") from error
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"{path}: is larger than {MAX_FILE_BYTES:,} bytes; that is no list of symbols")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from error
