"""What to say of a name that nothing has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from condvest.batch_layer.shared.errors import UnknownName

_MOST_NAMED = 20
"""Names in a message."""


def unknown_name(what: str, name: str, known: Iterable[str], parameter: str) -> UnknownName:
    """Return the error of a name that nothing has, with the names that may have been meant.

    Example: ``no rule 'typo'; there are breakout, gap``.

    Args:
        what: a thing with such a name is, in a word: ``rule``.
        name: that was given.
        known: the names that there are.
        parameter: that holds the name.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif len(names) > _MOST_NAMED:
        hint = f"there are {', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED:,} others"
    else:
        hint = f"there are {', '.join(names)}" if names else "there are none"
    return UnknownName(f"no {what} {name!r}; {hint}", parameter, near, name)
