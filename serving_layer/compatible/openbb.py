"""What OpenBB Workspace asks a backend for: its widgets, and an app that holds them. Pure."""

from __future__ import annotations

from typing import Any

_CATEGORY = "Condvest"
_SCREEN: list[dict[str, Any]] = [
    {"paramName": "interval", "type": "number", "label": "Sessions per bar", "value": 1, "show": True},
    {"paramName": "sort", "type": "text", "label": "Sort by (-column: downwards)", "value": "-change_5"},
    {"paramName": "limit", "type": "number", "label": "Rows", "value": 500},
]


def widgets(symbol: str) -> dict[str, Any]:
    """Return the widgets by id: the chart of `udf`, and tables of paths below ``/v1``.

    Args:
        symbol: the first one that the chart shows.
    """
    return {
        "condvest_chart": {
            "name": "Bars of n sessions",
            "description": "Bars of 1 to 34 sessions, adjusted for splits; splits and dividends are marked.",
            "category": _CATEGORY,
            "type": "advanced_charting",
            "endpoint": "/udf",
            "gridData": {"w": 40, "h": 20},
            "data": {"defaultSymbol": symbol, "updateFrequency": 3_600_000},
        },
        "condvest_screen": _table(
            "Screen", "The newest bar of each instrument beside its own past.", "/v1/screen", _SCREEN
        ),
        "condvest_coverage": _table(
            "Coverage", "Sessions loaded in full, in part or not, by provider and month.", "/v1/coverage"
        ),
        "condvest_gaps": _table("Gaps", "Sessions that instruments lack.", "/v1/gaps"),
        "condvest_runs": _table("Runs", "Runs of commands, the newest first.", "/v1/runs"),
    }


def apps() -> list[dict[str, Any]]:
    """Return one app, which holds all the widgets."""
    layout = {
        "market": [("condvest_chart", 0, 0, 40, 20), ("condvest_screen", 0, 20, 40, 16)],
        "data": [
            ("condvest_coverage", 0, 0, 20, 16),
            ("condvest_gaps", 20, 0, 20, 16),
            ("condvest_runs", 0, 16, 40, 12),
        ],
    }
    return [
        {
            "name": "Condvest",
            "description": "Bars of n sessions that never move, and how they came to be.",
            "img": "",
            "img_dark": "",
            "img_light": "",
            "allowCustomization": True,
            "tabs": {
                tab: {
                    "id": tab,
                    "name": tab.capitalize(),
                    "layout": [dict(zip("ixywh", placed, strict=True)) for placed in widgets],
                }
                for tab, widgets in layout.items()
            },
            "groups": [],
        }
    ]


def _table(
    name: str, description: str, endpoint: str, params: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "category": _CATEGORY,
        "type": "table",
        "endpoint": endpoint,
        "gridData": {"w": 20, "h": 16},
        "params": params or [],
        "data": {"dataKey": "rows", "table": {"showAll": True}},
    }
