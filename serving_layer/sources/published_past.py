"""What a published data set knew at an instant: bars, actions and loaded sessions, without the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.bars import Bars, Bools, DailyBars, Int32s, run_starts
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.models.difference import keys_of, pack
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans, always
from condvest.batch_layer.shared.published.datasets import HISTORY
from condvest.batch_layer.shared.published.tables import to_numpy
from condvest.serving_layer.sources import BarSource, SymbolSpan
from condvest.serving_layer.sources.parquet_rows import Arrays
from condvest.serving_layer.sources.published import PublishedSource

AnyEvents = TypeVar("AnyEvents", bound=Events)

_PRICES = [field.name for field in fields(DailyBars)]
_KEY = ["instrument_id", "ordinal"]


def as_known(source: PublishedSource, as_of: dt.datetime | None) -> BarSource:
    """Return what a published version knew at an instant (aware); all that it knows if None.

    Raises:
        UsageError: an earlier version of Condvest published it, without history.
    """
    if as_of is None:
        return source
    check_history(source)
    loads = source.small("loads")
    stored = loads.filter(pc.less_equal(loads["loaded_at"], pa.scalar(as_of, loads["loaded_at"].type)))
    return PublishedPast(source, pc.max(stored["load_id"]).as_py() or 0)


def check_history(source: PublishedSource) -> None:
    """Refuse a published version that does not say what was known when.

    Raises:
        UsageError: an earlier version of Condvest published it.
    """
    if not all(name in source.manifest.files for name in HISTORY):
        raise UsageError(
            f"version {source.manifest.version} of what is published has no history, since an earlier "
            "version of Condvest made it: run condvest publish, or ask the database"
        )


def states_of_bars(source: PublishedSource, spans: Spans) -> Arrays:
    """Return every daily bar within the spans that was ever known, by instrument, ordinal and load.

    The columns are those of `DailyBars`, load_id, and superseded_by: EVERY_LOAD for what is known now.
    """
    now = source.rows("daily_bars", [*_PRICES, "load_id"], spans)
    now["superseded_by"] = np.full(len(now["load_id"]), EVERY_LOAD, dtype=np.int32)
    before = source.rows("daily_bar_revisions", [*_PRICES, "load_id", "superseded_by"], spans)
    both = {name: np.concatenate([now[name], before[name]]) for name in now}
    order = np.lexsort((both["load_id"], pack(both["instrument_id"], both["ordinal"])))
    return {name: values[order] for name, values in both.items()}


@dataclass(frozen=True, eq=False)
class PublishedPast:
    """A `BarSource` of what was known when a load had been stored; who carried a symbol is known as of now.

    Attributes:
        now: the published version.
        known_by: the last load that counts.
    """

    now: PublishedSource
    known_by: int

    @property
    def sessions(self) -> Sessions:
        """The calendar."""
        return self.now.sessions

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbols by instrument; see `BarSource`."""
        gone = self._gone
        if ids is not None and gone:
            gone = {each: symbol for each, symbol in gone.items() if each in ids}
        return {**self.now.names(ids), **gone}

    def carriers(self, symbol: str, on: dt.date | None = None) -> list[int]:
        """Return the instruments that carry or carried a symbol; see `BarSource`."""
        return self.now.carriers(symbol, on)

    def symbol_spans(self) -> list[SymbolSpan]:
        """Return who carried which symbol when; see `BarSource`."""
        return self.now.symbol_spans()

    def stands_for(self, symbols: Sequence[str]) -> dict[str, int]:
        """Return the instrument that each symbol stands for; see `BarSource`."""
        return self.now.stands_for(symbols, self.names())

    def coverage(self, ids: Int32s) -> Coverage:
        """Return which sessions had been loaded; see `BarSource`."""
        supplied = self._suppliers
        asked = np.isin(supplied["instrument_id"], ids)
        supplied = {name: values[asked] for name, values in supplied.items()}
        starts = run_starts(supplied["instrument_id"])
        bits = np.int64(1) << supplied["provider_id"].astype(np.int64)
        through = np.full(64, NOTHING_LOADED, dtype=np.int32)
        ledger = self._ledger
        np.maximum.at(through, ledger["provider_id"], ledger["ordinal"])
        first = int(ledger["ordinal"].min()) if len(ledger["ordinal"]) else 0
        last = int(ledger["ordinal"].max()) if len(ledger["ordinal"]) else first - 1
        complete = np.zeros(last - first + 1, dtype=np.int64)
        done = ledger["is_done"]
        np.bitwise_or.at(
            complete,
            ledger["ordinal"][done] - first,
            np.int64(1) << ledger["provider_id"][done].astype(np.int64),
        )
        return Coverage(
            supplied["instrument_id"][starts],
            np.bitwise_or.reduceat(bits, starts) if len(starts) else bits,
            first,
            complete,
            through,
        )

    def splits(self, ids: Int32s) -> SplitEvents:
        """Return the splits; see `BarSource`."""
        return self._events("splits", "split_revisions", SplitEvents, ids)

    def dividends(self, ids: Int32s) -> DividendEvents:
        """Return the dividends; see `BarSource`."""
        return self._events("dividends", "dividend_revisions", DividendEvents, ids)

    def listed(self, ids: Int32s) -> Spans:
        """Return the spans of the daily bars; see `BarSource`."""
        known = self._rows(_KEY, always(np.unique(ids)))
        instrument_id, ordinal = known["instrument_id"], known["ordinal"]
        starts = run_starts(instrument_id)
        ends = np.append(starts[1:], len(instrument_id)) - 1 if len(starts) else starts
        return Spans(instrument_id[starts], ordinal[starts], ordinal[ends])

    def portions(self, spans: Spans) -> Sequence[Spans]:
        """Return the spans in portions; see `BarSource`."""
        return self.now.portions(spans)

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars; see `BarSource`."""
        return DailyBars(**self._rows(_PRICES, spans))

    def daily_of(self, portions: Sequence[Spans]) -> Iterator[DailyBars]:
        """Yield the daily bars of each portion; see `BarSource`."""
        names = [*_PRICES, "load_id"]
        now = self.now.rows_of("daily_bars", names, portions)
        before = self.now.rows_of("daily_bar_revisions", [*names, "superseded_by"], portions)
        return (DailyBars(**self._known(_PRICES, *both)) for both in zip(now, before, strict=True))

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Bars of the past are folded from the daily ones, and never stored."""
        raise NotImplementedError

    def waiting(self, ids: Int32s) -> Spans:
        """Return no spans: only resampled bars are published."""
        return self.now.waiting(ids)

    def _rows(self, names: list[str], spans: Spans) -> Arrays:
        """Return columns of the daily bars that were known, by instrument and ordinal."""
        now = self.now.rows("daily_bars", [*names, "load_id"], spans)
        before = self.now.rows("daily_bar_revisions", [*names, "load_id", "superseded_by"], spans)
        return self._known(names, now, before)

    def _known(self, names: list[str], now: Arrays, before: Arrays) -> Arrays:
        """Return the columns of what was known, of rows as they are now and of all that they were before."""
        kept = now["load_id"] <= self.known_by
        past = self._was_known(before["load_id"], before["superseded_by"])
        if not past.any():
            return {name: now[name] if kept.all() else now[name][kept] for name in names}
        both = {name: np.concatenate([now[name][kept], before[name][past]]) for name in names}
        order = np.argsort(pack(both["instrument_id"], both["ordinal"]))
        return {name: values[order] for name, values in both.items()}

    def _was_known(self, load_id: Int32s, superseded_by: Int32s) -> Bools:
        known: Bools = (load_id <= self.known_by) & (self.known_by < superseded_by)
        return known

    def _events(self, dataset: str, revisions: str, model: type[AnyEvents], ids: Int32s) -> AnyEvents:
        names = [field.name for field in fields(model)]
        now, before = self.now.small(dataset), self.now.small(revisions)
        kept = now.filter(pc.less_equal(now["load_id"], self.known_by))
        past = before.filter(
            pa.array(self._was_known(to_numpy(before["load_id"]), to_numpy(before["superseded_by"])))
        )
        table = pa.concat_tables([kept.select(names), past.select(names)])
        table = table.filter(pc.is_in(table["instrument_id"], pa.array(ids)))
        columns: dict[str, Any] = {name: to_numpy(table[name]) for name in names}
        columns["ex_date"] = columns["ex_date"].astype("datetime64[D]")
        events = model(**columns)
        return events.take(np.argsort(keys_of(events)))

    @cached_property
    def _gone(self) -> dict[int, str]:
        """Return the symbols of the instruments that had daily bars then and have none now: an undo's.

        For `EVERY_LOAD` of those that ever had some.
        """
        now = to_numpy(self.now.small("instruments")["instrument_id"])
        ever = to_numpy(self.now.small("suppliers")["instrument_id"])
        then = ever if self.known_by == EVERY_LOAD else self._suppliers["instrument_id"]
        gone = np.setdiff1d(then, now)
        return self.now.last_symbols(gone) if len(gone) else {}

    @cached_property
    def _suppliers(self) -> Arrays:
        """Return which provider had supplied which instrument, by instrument."""
        table = self.loaded("suppliers")
        return {name: to_numpy(table[name]) for name in table.column_names}

    @cached_property
    def _ledger(self) -> Arrays:
        """Return which sessions of which provider had been loaded, and whether in full."""
        table = self.loaded("ledger")
        done = pc.fill_null(pc.less_equal(table["completed_by"], self.known_by), fill_value=False)
        return {name: to_numpy(table[name]) for name in ("provider_id", "ordinal")} | {
            "is_done": to_numpy(done)
        }

    def loaded(self, dataset: str) -> pa.Table:
        """Return the rows of ``suppliers`` or ``ledger`` that counted."""
        table = self.now.small(dataset)
        table = table.filter(pc.less_equal(table["first_load_id"], self.known_by))
        if "superseded_by" not in table.column_names:  # an earlier version knew no undo
            return table
        since = pc.fill_null(pc.greater(table["superseded_by"], self.known_by), fill_value=True)
        return table.filter(since).drop_columns(["superseded_by"])
