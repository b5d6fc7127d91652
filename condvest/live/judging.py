"""The batch layer's rules for daily bars, and its bars for alert rules, as the speed layer takes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from condvest.batch_layer.fetching.quality import CODES, judge_bars
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.models.bars import Bools
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.live.references import read_references
from condvest.speed_layer.services.alerts.verdicts import Verdicts


def judge(
    rows: BarRows, faults: Mapping[int, str], sessions: Sessions, ordinal: int
) -> tuple[Bools, Mapping[int, tuple[str, str]]]:
    """Judge the rows of a session that may be under way as if it had closed; see `Judge`."""
    verdict = judge_bars(rows, faults, sessions, last_closed=ordinal)
    refused = np.flatnonzero(verdict.code).tolist()
    return verdict.passed, {row: (CODES[verdict.code[row]], verdict.reasons[row]) for row in refused}


def give_verdicts(workspace: Workspace) -> list[int]:
    """Hold what alert rules said against the bars that are official by now; return the events' ids."""
    return Verdicts(workspace.database, workspace.sessions_ahead, read_references).run()
