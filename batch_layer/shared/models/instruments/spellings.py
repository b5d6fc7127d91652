"""How Yahoo spells symbols, and how Condvest does.

Condvest spells as the exchanges' consolidated tape does, as far as that goes: ``BRK.B`` is a class of
shares, ``KIMpL`` a preferred one, ``AAC.U`` a unit. Yahoo spells ``BRK-B``, ``KIM-PL`` and ``AAC-UN``. Either
spelling may be given, and both lead to one instrument.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
