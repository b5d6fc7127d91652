"""Bars read from a published data set, by the same steps as from the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs

from condvest.batch_layer.shared.errors import PublishedError, PublishedGone
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s, run_starts
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.published.manifest import CURRENT, Manifest, path_of
from condvest.batch_layer.shared.published.parts import dataset_of
from condvest.batch_layer.shared.published.tables import to_numpy
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.batch_layer.shared.published.versions import manifests_of
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.sources import SymbolSpan, was_carried
from condvest.serving_layer.sources.published_files import PublishedFiles

AnyEvents = TypeVar("AnyEvents", bound=Events)


class PublishedSource(PublishedFiles):
    """A `BarSource` that reads one version of a published data set.

    The version is the one that was current when the source was opened. It stays readable until
    `condvest publish` removes it, ``--keep`` versions later.
    """

    @classmethod
    def open(cls, target: PublishTarget) -> PublishedSource:
        """Open the current version.

        Raises:
            PublishedError: nothing is published there, or it cannot be read.
            PublishedFormat: another version of Condvest wrote it.
            PublishedUnavailable: the target does not answer.
        """
        content = target.read(CURRENT)
        if content is None:
            raise PublishedError(
                f"nothing is published in {target.name}; run condvest publish, or if it was moved, set "
                "CONDVEST_PUBLISHED to where it is"
            )
        return cls._of(target, content)

    @classmethod
    def open_at(cls, target: PublishTarget, version: str) -> PublishedSource:
        """Open one version: the current one, or another that is kept.

        Args:
            target: where it is published.
            version: as `version` names it: ``p-<8 digits of the manifest's digest>-<number>``.

        Raises:
            PublishedGone: it is not kept, or another data set was published there.
            PublishedError, PublishedFormat, PublishedUnavailable: as `open`.
        """
        number = int(version.rpartition("-")[2])
        for path in (CURRENT, path_of(number)):  # the current one's copy may not be there yet
            content = target.read(path)
            kept = None if content is None else cls._of(target, content)
            if kept is not None and kept.version == version:
                return kept
        raise PublishedGone(
            f"version {version} is not kept in {target.name}; ask for the first page again, or for another "
            "version, and publish with a larger --keep to have versions longer"
        )

    def kept_versions(self) -> list[str]:
        """Return the versions that can be read by `open_at` now, the current one last."""
        return [PublishedSource(self._target, each).version for each in manifests_of(self._target)]

    @classmethod
    def _of(cls, target: PublishTarget, content: bytes) -> PublishedSource:
        """Return the source of a manifest's bytes."""
        key = (type(target), target.name, target.credentials, content)
        return _sources.get(
            key, lambda: cls(target, Manifest.from_json(content, target.name)), lambda _: _SOURCE_BYTES
        )

    @property
    def name(self) -> str:
        """The directory, or ``s3://bucket/prefix``."""
        return self._target.name

    def beside(self, path: str) -> bytes | None:
        """Return a small file beside the manifest that is of no version; None if there is none."""
        return self._target.read(path)

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbols by instrument; see `BarSource`."""
        table = self._instruments
        wanted = pc.is_valid(table["symbol"])
        if ids is not None:
            wanted = pc.and_(wanted, pc.is_in(table["instrument_id"], pa.array(ids)))
        table = table.filter(wanted)
        return dict(zip(table["instrument_id"].to_pylist(), table["symbol"].to_pylist(), strict=True))

    def carriers(self, symbol: str, on: dt.date | None = None) -> list[int]:
        """Return the instruments that carry or carried a symbol; see `BarSource`."""
        spans = self._spans([symbol])
        if on is not None:
            spans = [row for row in spans if was_carried(row["valid_from"], row["valid_to"], on)]
        return [row["instrument_id"] for row in spans]

    def symbol_spans(self) -> list[SymbolSpan]:
        """Return who carried which symbol when; see `BarSource`."""
        columns = self.small("symbols").to_pydict()
        names = ("instrument_id", "symbol", "valid_from", "valid_to")
        return list(zip(*(columns[name] for name in names), strict=True))

    def last_symbols(self, ids: Int32s) -> dict[int, str]:
        """Return the present or last symbol of instruments, with daily bars or without."""
        table = self.small("symbols")
        symbols = table.filter(pc.is_in(table["instrument_id"], pa.array(ids)))["symbol"].unique().to_pylist()
        spans = reversed(self._spans(symbols))
        return {row["instrument_id"]: row["symbol"] for row in spans if row["instrument_id"] in ids}

    def stands_for(self, symbols: Sequence[str], names: Mapping[int, str] | None = None) -> dict[str, int]:
        """Return the instrument that each symbol stands for; see `BarSource`.

        Among those of ``names``, or else those that have daily bars now.
        """
        names = self.names() if names is None else names
        # The latest comes first, and so is entered last.
        spans = reversed(self._spans(symbols))
        return {row["symbol"]: row["instrument_id"] for row in spans if row["instrument_id"] in names}

    def _spans(self, symbols: Sequence[str]) -> list[dict[str, Any]]:
        """Return who carried the symbols from when to when, the latest first."""
        table = self.small("symbols")
        rows: list[dict[str, Any]] = table.filter(
            pc.is_in(table["symbol"], pa.array(symbols, pa.string()))
        ).to_pylist()
        rows.sort(
            key=lambda row: (row["valid_to"] or dt.date.max, row["valid_from"] or dt.date.min), reverse=True
        )
        return rows

    def coverage(self, ids: Int32s) -> Coverage:
        """Return which sessions have been loaded; see `BarSource`."""
        through = np.full(64, NOTHING_LOADED, dtype=np.int32)
        for provider, last in self.manifest.loaded_through.items():
            through[provider] = last
        known = self.instruments()
        asked = np.isin(known, ids)
        return Coverage(
            known[asked],
            to_numpy(self._instruments["providers"])[asked],
            self.sessions.first_ordinal,
            to_numpy(self._ledger["complete"]),
            through,
        )

    def splits(self, ids: Int32s) -> SplitEvents:
        """Return the splits; see `BarSource`."""
        return self._events("splits", SplitEvents, ids)

    def dividends(self, ids: Int32s) -> DividendEvents:
        """Return the dividends; see `BarSource`."""
        return self._events("dividends", DividendEvents, ids)

    def listed(self, ids: Int32s) -> Spans:
        """Return the spans of the daily bars; see `BarSource`."""
        table = self._instruments
        table = table.filter(
            pc.and_(pc.is_in(table["instrument_id"], pa.array(ids)), pc.is_valid(table["first_session"]))
        )
        first, last = (
            self.sessions.ordinals_of(to_numpy(table[name]).astype("datetime64[D]"))
            for name in ("first_session", "last_session")
        )
        return Spans(to_numpy(table["instrument_id"]), first, last)

    def portions(self, spans: Spans) -> Sequence[Spans]:
        """Return the spans in portions of about PORTION rows; see `BarSource`."""
        if not len(spans):
            return [spans]
        rows = sum(file.rows for file in self._files_within(dataset_of(1), spans))
        rows = min(rows, len(self._instruments) * int(spans.last.max() - spans.first.min() + 1))
        instruments = max(1, PORTION * len(self._instruments) // max(rows, 1))
        first = run_starts(spans.instrument_id)[::instruments]
        ends = [*first[1:].tolist(), len(spans)]
        return [spans.take(slice(*bounds)) for bounds in zip(first.tolist(), ends, strict=True)]

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars; see `BarSource`."""
        return DailyBars(**self.rows("daily_bars", _PRICES, spans))

    def daily_of(self, portions: Sequence[Spans]) -> Iterator[DailyBars]:
        """Yield the daily bars of each portion; see `BarSource`."""
        return (DailyBars(**rows) for rows in self.rows_of("daily_bars", _PRICES, portions))

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Return the bars; see `BarSource`."""
        names = [field.name for field in fields(Bars)]
        return Bars(**self.rows(dataset_of(interval), names, spans, complete=complete))

    def waiting(self, ids: Int32s) -> Spans:
        """Return no spans: only resampled bars are published."""
        none = ids[:0]
        return Spans(none, none, none)

    def runs(self, ids: Int32s) -> Spans:
        """Return the runs of consecutive ordinals that the daily bars of some instruments (ascending) have.

        One file's keys are in memory at a time.
        """
        spans = []
        for file in self._files_of(dataset_of(1)):
            with self._translated(file), self._opened(file) as parquet:
                table = parquet.read(columns=["instrument_id", "ordinal"], use_threads=False)
                keys = Spans.of_points(to_numpy(table["instrument_id"]), to_numpy(table["ordinal"]))
            spans.append(keys.take(np.isin(keys.instrument_id, ids)))
        return Spans.concat(spans).merged() if spans else self.waiting(ids)

    def _events(self, dataset: str, model: type[AnyEvents], ids: Int32s) -> AnyEvents:
        table = self.small(dataset)
        table = table.filter(pc.is_in(table["instrument_id"], pa.array(ids)))
        columns = {field.name: to_numpy(table[field.name]) for field in fields(model)}
        return model(**columns | {"ex_date": columns["ex_date"].astype("datetime64[D]")})


_PRICES = [field.name for field in fields(DailyBars)]

PORTION = 1 << 19
"""Daily bars that are read at a time, about, where all of a market are folded.

A few times what threads fold at a time, so that all have enough to do.
"""

_SOURCE_BYTES = 8 << 20
"""What a source counts: its calendar, and the instruments of a large market."""

_sources: Kept[PublishedSource] = Kept(4 * _SOURCE_BYTES)
"""Sources by the bytes of their manifest, which are read at each call: a new version has others."""
