"""Bars as Massive writes them: grouped, range, open-close.

A grouped bar's ``t`` is the END of its window, 16:00 in New York whatever the session; a range bar's is
the START, midnight in New York.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.support.emulators.synthetic.market import Rows
from tests.support.emulators.synthetic.sessions import milliseconds, new_york

JUNK = ("\x00\x13\x02Z", "�\x01﷐", "ÿþA\x00B\x00")
"""Tickers as once came in grouped answers (polygon-io/issues#3)."""


def grouped_body(
    rows: Rows, session: dt.date, request_id: str, *, adjusted: bool, extra: list[dict]
) -> bytes:
    """Return the body of a grouped answer; without rows the key ``results`` is absent."""
    count = len(rows) + len(extra)
    head = {"queryCount": count, "resultsCount": count, "adjusted": adjusted}
    tail = {"status": "OK", "request_id": request_id}
    if not count:
        return json.dumps(head | tail, separators=(",", ":")).encode()
    pieces = [_grouped_rows(rows, milliseconds(new_york(session, 16)))] if len(rows) else []
    pieces += [json.dumps(row, separators=(",", ":")) for row in extra]
    opening = json.dumps(head, separators=(",", ":"))[:-1]
    closing = json.dumps(tail, separators=(",", ":"))[1:]
    return f'{opening},"results":[{",".join(pieces)}],{closing}'.encode()


def _grouped_rows(rows: Rows, stamp: int) -> str:
    """Return the rows as JSON text, made column by column, since 12,500 dictionaries take long."""
    symbols = pa.array([json.dumps(symbol) for symbol in rows.symbol])
    known = pa.array(rows.trades >= 0)
    counts = pc.binary_join_element_wise(',"n":', _text(rows.trades), "")
    vwaps = pc.binary_join_element_wise(',"vw":', _text(np.nan_to_num(rows.vwap)), "")
    parts: list = ['{"T":', symbols, ',"v":', _text(rows.volume), pc.if_else(known, vwaps, "")]
    for name, column in (("o", rows.open), ("c", rows.close), ("h", rows.high), ("l", rows.low)):
        parts += [f',"{name}":', _text(column)]
    otc = pc.if_else(pa.array(rows.otc), ',"otc":true', "")
    parts += [f',"t":{stamp}', pc.if_else(known, counts, ""), otc, "}"]
    lines = pc.binary_join_element_wise(*parts, "")
    whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    return pc.binary_join(whole, ",")[0].as_py()


def _text(values: np.ndarray) -> pa.Array:
    """Write numbers in the fewest digits that read back the same."""
    return pa.array(values).cast(pa.string())


def range_results(rows: Rows) -> list[dict]:
    """Return the results of a range answer."""
    results = []
    for row_number in range(len(rows)):
        row = {"v": float(rows.volume[row_number])}
        if rows.trades[row_number] >= 0:
            row["vw"] = float(rows.vwap[row_number])
        row |= {"o": float(rows.open[row_number]), "c": float(rows.close[row_number])}
        row |= {"h": float(rows.high[row_number]), "l": float(rows.low[row_number])}
        row["t"] = milliseconds(new_york(rows.session[row_number].astype(dt.date)))
        if rows.trades[row_number] >= 0:
            row["n"] = int(rows.trades[row_number])
        if rows.otc[row_number]:
            row["otc"] = True
        results.append(row)
    return results


def running(rows: Rows) -> Rows:
    """Return a session's bars as they might stand while it lasts: other close, less volume."""
    return replace(
        rows,
        close=rows.open,
        volume=np.maximum(1.0, np.floor(rows.volume / 2)),
        trades=np.where(rows.trades > 1, (rows.trades + 1) // 2, rows.trades),
    )


def dirt_of(rows: Rows, at: int, session: dt.date) -> list[dict]:
    """Return the bad rows that stand in the answer of some sessions: a row twice, junk for a ticker."""
    stamp = milliseconds(new_york(session, 16))
    extra = []
    if at % 11 == 4 and len(rows):
        text = _grouped_rows(rows.take(slice(0, 1)), stamp)
        extra.append(json.loads(text))
    if at % 13 == 6:
        extra += [
            {"T": junk, "v": 1, "o": 1.5, "c": 1.5, "h": 1.5, "l": 1.5, "t": stamp, "n": 1} for junk in JUNK
        ]
    return extra
