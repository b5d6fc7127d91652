"""What looks wrong in the series that a load touched, for the command line and for Python."""

from __future__ import annotations

from condvest.batch_layer.operations.screening import Screen
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.queries.reports.quality import flag_new


def screen_of(workspace: Workspace) -> Screen:
    """Return what looks at the series that a job touched, and gives the new errors, a sentence each."""

    def screen(touched: Spans, known_by: int) -> list[str]:
        return [
            f"{flag['symbol']} {flag['session']}: {flag['flag']}: {flag['reason']}"
            for flag in flag_new(workspace, touched, known_by).to_pylist()
            if flag["severity"] == "error"
        ]

    return screen
