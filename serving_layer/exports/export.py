"""Write the daily bars of one state of the database in another program's format."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.stores.identity.symbols import symbol_spans
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.instruments.symbols import EVER, FOREVER, SymbolSpan
from condvest.serving_layer.exports.folder import new_folder, write_marker
from condvest.serving_layer.exports.lean import LeanWriter
from condvest.serving_layer.exports.qlib import QlibWriter
from condvest.serving_layer.exports.stocks import Selection, Stock, read_stocks, select_stocks
from condvest.serving_layer.exports.zipline import ZiplineWriter
from condvest.serving_layer.sources.database import DatabaseSource, reading

Kind = Literal["zipline", "lean", "qlib"]
KINDS: tuple[Kind, ...] = get_args(Kind)

OnProgress = Callable[[int, int], None]
"""Told how many instruments are written, of how many."""


class _Writer(Protocol):
    def write(self, stock: Stock) -> str: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        destination: the folder.
        instruments: how many have bars in it.
        rows: daily bars.
        first_session, last_session: of any bar, inclusive.
        notes: what could not be said in the format, in sentences.
    """

    destination: Path
    instruments: int
    rows: int
    first_session: dt.date
    last_session: dt.date
    notes: tuple[str, ...]


def export(
    opened: OpenDatabase,
    kind: Kind,
    destination: Path,
    *,
    symbols: Sequence[str] | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
    on_progress: OnProgress | None = None,
) -> Exported:
    """Write complete daily bars, splits and dividends into a folder, which is there only when it is whole.

    Beside the program's own files the folder has ``condvest-export.json`` and ``condvest-symbols.csv``: the
    instrument and the symbol of each name that the program knows.

    Args:
        opened: the open database.
        kind: whose format.
        destination: the folder; an earlier export of the same kind is replaced.
        symbols: symbols or labels; all instruments with bars if None.
        start: first session, inclusive; None for no bound.
        end: last session, inclusive; None for no bound.
        on_progress: told after each instrument.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
        UsageError: the folder holds something else or cannot be written, or there is no bar to export.
    """
    with (
        reading(opened.database, opened.sessions) as source,
        new_folder(destination, kind) as folder,
    ):
        selection = select_stocks(source, symbols, start, end)
        first, last = _bounds(source, selection)
        writer = _writer(kind, folder, destination, source, first, last)
        rows, names = 0, []
        for number, stock in enumerate(read_stocks(source, selection), 1):
            names.append(f"{writer.write(stock)},{stock.instrument_id},{stock.symbol}\n")
            rows += len(stock.daily)
            if on_progress is not None:
                on_progress(number, len(selection.ids))
        if not names:
            raise UsageError("export: no complete daily bar lies within the bounds")
        writer.close()
        header = "name,instrument_id,symbol\n"
        (folder / "condvest-symbols.csv").write_text(header + "".join(names), encoding="ascii")
        sessions = source.sessions
        done = Exported(
            destination=destination,
            instruments=len(names),
            rows=rows,
            first_session=sessions.session(first),
            last_session=sessions.session(last),
            notes=tuple(getattr(writer, "notes", ())),
        )
        facts = {"instruments": done.instruments, "rows": rows}
        days = {"first_session": str(done.first_session), "last_session": str(done.last_session)}
        write_marker(folder, kind, {**facts, **days, "notes": list(done.notes)})
    return done


def _bounds(source: DatabaseSource, selection: Selection) -> tuple[int, int]:
    """Return the first and the last ordinal of any bar of the selection."""
    listed = source.listed(selection.ids)
    if not len(listed):
        raise UsageError("export: nothing is loaded; begin with condvest run")
    first = max(int(listed.first.min()), selection.first)
    last = min(int(listed.last.max()), selection.last)
    if first > last:
        raise UsageError("export: no daily bar lies within the bounds")
    return first, last


def _writer(
    kind: Kind, folder: Path, destination: Path, source: DatabaseSource, first: int, last: int
) -> _Writer:
    if kind == "zipline":
        return ZiplineWriter(folder, destination, source.sessions)
    if kind == "qlib":
        return QlibWriter(folder, source.sessions, first, last)
    spans: defaultdict[int, list[SymbolSpan]] = defaultdict(list)
    for instrument, symbol, begin, end in symbol_spans(source.connection):
        spans[instrument].append(SymbolSpan(symbol, begin or EVER, end or FOREVER))
    by_date = {each: sorted(own, key=lambda span: span.first) for each, own in spans.items()}
    return LeanWriter(folder, by_date)
