"""Symbols: how Yahoo spells them, and files of them.

Condvest spells as the exchanges' consolidated tape does, as far as that goes: ``BRK.B`` is a class of
shares, ``KIMpL`` a preferred one, ``AAC.U`` a unit. Yahoo spells ``BRK-B``, ``KIM-PL`` and ``AAC-UN``. Either
spelling may be given, and both lead to one instrument.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from condvest.batch_layer.shared.errors import InputError

MAX_FILE_BYTES = 1 << 20
"""A file of symbols may have 1 MiB, some 200,000 symbols."""

_SYMBOL = re.compile(r"\^?[A-Za-z0-9]+([.=-][A-Za-z0-9]+)*")
_LONGEST = 32
SPELLINGS = (
    ("preferred share of a series", "{root}p{series}", "{root}-P{series}"),
    ("preferred share", "{root}p", "{root}-P"),
    ("warrant of a series", "{root}.WS.{series}", "{root}-WT{series}"),
    ("warrant", "{root}.WS", "{root}-WT"),
    ("unit", "{root}.U", "{root}-UN"),
    ("right", "{root}r", "{root}-RI"),
    ("when issued", "{root}w", "{root}-WI"),
    ("class of shares", "{root}.{series}", "{root}-{series}"),
)
"""By kind of security, how the tape and how Yahoo spell its symbols; the first that fits counts.

Sources: the symbols in Massive's answers (small letters for preferred, right and when-issued); Yahoo's as in
OpenBB-finance/OpenBB#1764 (2022-05-05).
"""

_PARTS = {r"\{root\}": "(?P<root>[A-Z0-9]+)", r"\{series\}": "(?P<series>[A-Z])"}
_SHOWN_LENGTH = 40


def yahoo_symbol(symbol: str) -> str:
    """Return a symbol as Yahoo spells it; ``brk.b``, ``BRK.B`` and ``BRK-B`` are ``BRK-B``.

    Small letters that the tape has behind a root in capitals count (``ACCOw`` is ``ACCO-WI``); any other
    small letter is taken for a capital.
    """
    tape_to_yahoo = [(tape, yahoo) for _, tape, yahoo in SPELLINGS]
    return _respelled(symbol, tape_to_yahoo) or _respelled(symbol.upper(), tape_to_yahoo) or symbol.upper()


def house_symbol(symbol: str) -> str:
    """Return Yahoo's symbol as Condvest spells it; undoes `yahoo_symbol`.

    One that would be asked for under another name the next time stays as it is: ``AAC-U`` is not ``AAC.U``,
    which Yahoo spells ``AAC-UN``.
    """
    house = _respelled(symbol, [(yahoo, tape) for _, tape, yahoo in SPELLINGS])
    return house if house is not None and yahoo_symbol(house) == symbol else symbol


def _respelled(symbol: str, templates: Iterable[tuple[str, str]]) -> str | None:
    """Return the symbol by the first pair of templates whose left one it fits; None if it fits none."""
    for template, other in templates:
        pattern = re.escape(template)
        for part, expression in _PARTS.items():
            pattern = pattern.replace(part, expression)
        if match := re.fullmatch(pattern, symbol):
            return other.format(**match.groupdict())
    return None


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
