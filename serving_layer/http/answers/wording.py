"""What is wrong with a parameter, in the words of the command line and not in those of a library. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS: Mapping[str, str] = {
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "bool_parsing": "choose true or false",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "less_than": "expected less than {lt}",
}


def in_words(error: Mapping[str, Any]) -> str:
    """Return what one of pydantic's errors says, without the parameter's name and value.

    Example: of ``by=week`` it is ``choose session, month or year``.
    """
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "literal_error":
        return f"choose {str(context['expected']).replace(chr(39), '')}"
    if kind.startswith("date"):
        return "expected a date: 2024-07-31"
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    return str(error["msg"]).removeprefix("Value error, ")
