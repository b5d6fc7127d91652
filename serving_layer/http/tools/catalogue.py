"""What each tool is called, says of itself and takes. Pure.

All of it stands in every conversation, so it is short: what a parameter means stands once in `contract`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from condvest.serving_layer.http.answers.problems import BadRequest

Schema = Mapping[str, Any]

_DATE: Schema = {"type": "string", "format": "date"}
_SYMBOLS: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
    "maxItems": 50,
    "description": "exact, case counts",
}
_INTERVAL: Schema = {"type": "integer", "minimum": 1, "maximum": 252, "description": "sessions per bar"}
_AS_OF: Schema = {"type": "string", "description": "as known at this date or ISO instant"}

SQL = "query"


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        name, description: as a model sees them.
        parameters: JSON schema by name.
        required: names of those that must be given.
        paths: the endpoint that answers by the value of ``choice``; by "" where there is no choice.
        choice: the parameter that chooses it; "" for none.
        narrower: how to ask for less.
    """

    name: str
    description: str
    parameters: Mapping[str, Schema]
    paths: Mapping[str, str]
    narrower: str
    required: tuple[str, ...] = ()
    choice: str = ""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        return {
            "type": "object",
            "properties": dict(self.parameters),
            "required": list(self.required),
            "additionalProperties": False,
        }

    def question(self, arguments: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
        """Return the path of the endpoint that answers, and the parameters of its query.

        Raises:
            BadRequest: an argument is unknown, lacks, or has a value of another kind.
        """
        for name in arguments:
            if name not in self.parameters:
                near = difflib.get_close_matches(name, self.parameters, n=3)
                hint = (
                    f"did you mean {' or '.join(near)}?" if near else f"there are {_names(self.parameters)}"
                )
                raise BadRequest(f"unknown argument {name!r}; {hint}", name, near)
        given = {name: value for name, value in arguments.items() if value is not None}
        for name in self.required:
            if not given.get(name):
                raise BadRequest(f"{name} is needed", name)
        choice = str(given.pop(self.choice, "")) if self.choice else ""
        if choice not in self.paths:
            raise BadRequest(f"{self.choice} {choice!r}: choose one of {_names(self.paths)}", self.choice)
        pairs = [("symbol" if name == "symbols" else name, text) for name, text in _pairs(given)]
        return self.paths[choice], pairs


def _names(names: Mapping[str, Any]) -> str:
    return ", ".join(names)


def _pairs(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return arguments as a query has them."""
    pairs = []
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str | int | float):
                raise BadRequest(f"{name}: expected a text, a number or a list of them", name)
            pairs.append((name, str(each).lower() if isinstance(each, bool) else str(each)))
    return pairs


TOOLS = (
    Tool(
        "find_instruments",
        "Find instruments, delisted ones too, by part of the symbol or name. Gives symbol, name, dates.",
        {"search": {"type": "string"}, "active": {"type": "boolean", "description": "listed now"}},
        {"": "/v1/instruments"},
        "Search for a longer part of the name.",
        ("search",),
    ),
    Tool(
        "get_bars",
        "OHLCV bars of n trading sessions. Prices are adjusted for splits unless adjust says otherwise. A "
        "bar that is not is_complete has not ended, or lacks sessions: do not take it for final.",
        {
            "symbols": _SYMBOLS,
            "interval": {**_INTERVAL, "default": 13},
            "start": _DATE,
            "end": _DATE,
            "last": {"type": "integer", "minimum": 1, "description": "only the newest N per symbol"},
            "adjust": {"enum": ["none", "splits", "total"]},
            "include_open": {"type": "boolean"},
            "as_of": _AS_OF,
        },
        {"": "/v1/bars"},
        "Ask for fewer symbols, a longer interval, or use start, end or last.",
        ("symbols",),
    ),
    Tool(
        "get_actions",
        "Splits (with the factors that adjust prices before them) or cash dividends, by ex-date.",
        {
            "kind": {"enum": ["splits", "dividends"]},
            "symbols": _SYMBOLS,
            "start": _DATE,
            "end": _DATE,
            "as_of": _AS_OF,
        },
        {"splits": "/v1/splits", "dividends": "/v1/dividends"},
        "Use start and end, or fewer symbols.",
        ("kind", "symbols"),
        "kind",
    ),
    Tool(
        "screen",
        "The newest bar of every instrument (not is_complete: open) beside its past: change over 1, 5, 13, "
        "34 bars, volume over its mean, distance from high and low.",
        {
            "interval": {**_INTERVAL, "default": 1},
            "on": _DATE,
            "min_close": {"type": "number"},
            "min_volume": {"type": "number"},
            "sort": {"type": "string", "description": "a column; -column sorts downwards"},
        },
        {"": "/v1/screen"},
        "Raise min_close or min_volume; sort puts what matters first.",
    ),
    Tool(
        "explain_bar",
        "How the daily bars of a symbol came to be: every state they were known in, when, from which "
        "payload.",
        {"symbol": {"type": "string"}, "session": _DATE},
        {"": "/v1/history"},
        "Name one session.",
        ("symbol",),
    ),
    Tool(
        "data_status",
        "How complete the data are: coverage (sessions loaded per month), gaps (sessions an instrument "
        "lacks), or runs (commands and exit codes).",
        {"about": {"enum": ["coverage", "gaps", "runs"]}, "symbols": _SYMBOLS},
        {"coverage": "/v1/coverage", "gaps": "/v1/gaps", "runs": "/v1/runs"},
        "Gaps and coverage take symbols.",
        ("about",),
        "about",
    ),
    Tool(
        SQL,
        "One SELECT of DuckDB's SQL over the published data (SHOW TABLES and DESCRIBE work). Prices there "
        "are as traded: adjust by splits.price_factor yourself. Use aggregates and LIMIT.",
        {"sql": {"type": "string"}},
        {"": ""},
        "Aggregate, or add a WHERE or LIMIT.",
        ("sql",),
    ),
)
"""Every tool; `SQL` only where there is SQL."""
