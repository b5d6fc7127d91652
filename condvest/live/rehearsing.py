"""The wiring: a rule against what has been loaded."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from condvest.batch_layer.database.stores.status import loaded_through
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.live.references import read_references
from condvest.speed_layer.core.alerts.rules import Rule
from condvest.speed_layer.services.alerts.rehearse import rehearse

YEAR = 252
"""Sessions that are looked at if no start is given."""

_FIRINGS = pa.schema(
    [
        ("session", pa.date32()),
        ("symbol", pa.string()),
        ("margin", pa.float64()),
        ("window_end", pa.date32()),
        ("stood", pa.bool_()),
        ("margin_at_end", pa.float64()),
    ]
)


def rehearsed(
    workspace: Workspace, rule: Rule, start: dt.date | None, end: dt.date | None
) -> tuple[dict[str, Any], pa.Table]:
    """Try a rule.

    Returns:
        expression, repaint, start, end (sessions), fired, stood, withdrawn, open (whose bar has not ended),
        survival (stood of those that have a verdict; None if none has) and median_sessions to the verdict;
        and a row per firing: session, symbol, margin, window_end, stood, margin_at_end.

    Raises:
        UsageError: no session has been loaded between the two.
        UnknownSymbol: no instrument carries or carried a symbol of the rule.
        NotASession: a date is none.
    """
    sessions = workspace.sessions
    with workspace.database.transaction(read_only=True) as connection:
        newest = max(loaded_through(connection, EVERY_LOAD).values(), default=None)
    if newest is None:
        raise UsageError("nothing is loaded to try a rule on; begin with: condvest demo, or: condvest import")
    last = newest if end is None else min(sessions.ordinal(end), newest)
    first = max(last - YEAR + 1, sessions.first_ordinal) if start is None else sessions.ordinal(start)
    if first > last:
        raise UsageError(f"no session is loaded from {start} on; the newest is {sessions.session(newest)}")
    firings = rehearse(workspace.database, workspace.sessions_ahead, read_references, rule, first, last)
    ahead = workspace.sessions_ahead
    rows = [
        {
            "session": ahead.session(each.ordinal),
            "symbol": each.symbol,
            "margin": each.margin,
            "window_end": ahead.session(each.end) if each.end <= ahead.last_ordinal else None,
            "stood": each.stood,
            "margin_at_end": each.at_close,
        }
        for each in firings
    ]
    stood = sum(each.stood is True for each in firings)
    withdrawn = sum(each.stood is False for each in firings)
    waits = [each.end - each.ordinal for each in firings if each.stood is not None]
    summary = {
        "expression": rule.node.text,
        "repaint": rule.repaint,
        "start": sessions.session(first),
        "end": sessions.session(last),
        "fired": len(firings),
        "stood": stood,
        "withdrawn": withdrawn,
        "open": len(firings) - stood - withdrawn,
        "survival": stood / (stood + withdrawn) if stood + withdrawn else None,
        "median_sessions": statistics.median(waits) if waits else None,
    }
    return summary, pa.Table.from_pylist(rows, schema=_FIRINGS)


def in_words(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines in which a summary is told to people."""
    yield summary["expression"]
    yield f"{summary['start']} to {summary['end']}: {summary['repaint']} while its bar grows"
    yield f"fired {summary['fired']:,}; {summary['open']:,} of them in bars that have not ended"
    if summary["survival"] is not None:
        yield (
            f"{summary['stood']:,} stood at the close of their bar, {summary['withdrawn']:,} did not: "
            f"{summary['survival']:.1%}; {summary['median_sessions']:g} sessions to the verdict (median)"
        )
