"""Text that cannot move a terminal's cursor."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return text with its control characters as escapes, such as ``\x1b``; line breaks and tabs stay.

    Names, reasons and paths come from vendors and files, which must not be able to move a terminal's cursor,
    clear its screen or reverse its writing.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
