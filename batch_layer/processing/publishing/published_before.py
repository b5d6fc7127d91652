"""The version that a publication goes on from: which of its files can stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.stores.fingerprints import Fingerprint
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.published.digests import damaged, sha256_of
from condvest.batch_layer.shared.published.manifest import Manifest, PublishedFile
from condvest.batch_layer.shared.published.parts import DIVIDED, Division, year_of
from condvest.batch_layer.shared.published.states import BEFORE, unpacked
from condvest.batch_layer.shared.published.tables import to_numpy
from condvest.batch_layer.shared.published.target import PublishTarget

_REACH = ("first_session", "last_session")


@dataclass(frozen=True)
class PublishedBefore:
    """What the version before left in the target.

    Attributes:
        target: the target.
        manifest: the version's manifest; None if there is none.
        sizes: bytes by path of all that the target holds.
        damaged: files whose bytes are not those that the manifest names, by path, with what is
            wrong. Filled as files are looked at.
    """

    target: PublishTarget
    manifest: Manifest | None
    sizes: Mapping[str, int]
    damaged: dict[str, str]

    def is_whole(self, file: PublishedFile) -> bool:
        """Return whether the target holds a file with just these bytes."""
        return bool(self.whole([file]))

    def whole(self, files: Sequence[PublishedFile]) -> list[PublishedFile]:
        """Return those of the files that the target holds with just these bytes: each is read and hashed."""
        there = [file for file in files if self._has_right_size(file) and file.path not in self.damaged]
        wrong = damaged(self.target, there)
        self.damaged.update(wrong)
        return [file for file in there if file.path not in wrong]

    def unchanged(
        self, dataset: str, parts: Mapping[str, str], calendar: Mapping[str, str], sessions: Sessions
    ) -> list[bool]:
        """Return for each part whether nothing was stored in it since, nor any date altered.

        A month of a year that the version has whole, or a year that it has by month, counts as changed.

        Args:
            dataset: which.
            parts: to their states now, ascending; the first is `BEFORE`.
            calendar: see `calendar_states`.
            sessions: the calendar.
        """
        if self.manifest is None:
            return [False] * len(parts)
        known = [BEFORE, *Division.of(sessions, self.manifest.months_from).names]
        then = unpacked(known, self.manifest.recorded.states.get(dataset, {}))
        return [
            state != "" and state == then.get(part) and self._has_dates_of(part, calendar)
            for part, state in parts.items()
        ]

    def fingerprint(self, dataset: str, part: str) -> Fingerprint | None:
        """Return the fingerprint of the rows of a part in the version; None if it had none."""
        return next(
            ((file.rows, file.fingerprint) for file in self._files(dataset) if file.part == part), None
        )

    def rows_about(self, dataset: str, part: str) -> int | None:
        """Return how many rows a part may have, about, by the version; None if it does not tell.

        A year that the version has by month has as many as those months. A month that it does not have is
        taken for as large as its largest one, or a tenth of the same year.
        """
        rows = {file.part: file.rows for file in self._files(dataset)}
        if part in rows:
            return rows[part]
        if part == year_of(part):
            return sum(rows[name] for name in rows if year_of(name) == part) or None
        of_months = [rows[name] for name in rows if name != year_of(name)]
        return max([*of_months, rows.get(year_of(part), 0) // 10]) or None

    def of_right_size(self, dataset: str, part: str) -> PublishedFile | None:
        """Return the file of a part if the target holds one of its name and size; its bytes are not read."""
        return next(
            (file for file in self._files(dataset) if file.part == part and self._has_right_size(file)), None
        )

    def reusable(
        self, dataset: str, wanted: set[tuple[str, str]], calendar: Mapping[str, str]
    ) -> dict[tuple[str, str], PublishedFile]:
        """Return the files of wanted parts and fingerprints that are there and whole, with today's dates."""
        files = [
            file
            for file in self._files(dataset)
            if (file.part, file.fingerprint) in wanted and self._has_dates_of(file.part, calendar)
        ]
        return {(file.part, file.fingerprint): file for file in self.whole(files)}

    def reference(self, state: str, form: Mapping[str, Mapping[str, str]]) -> dict[str, list[PublishedFile]]:
        """Return the files of the small data sets if nothing was stored in their tables since; or none.

        None as well if one of them is not whole: they are read, for all together they are small.

        Args:
            state: what stands for them now, see `reference_state`.
            form: data set to its columns, and those to their types, as a version says it now.
        """
        if self.manifest is None or not state or self.manifest.recorded.reference != state:
            return {}
        files = {name: list(own) for name, own in self.manifest.files.items() if name not in DIVIDED}
        every = [file for own in files.values() for file in own]
        return files if self.manifest.schema == form and len(self.whole(every)) == len(every) else {}

    def reaches(self, sessions: Sessions, calendar: Mapping[str, str]) -> tuple[Int32s, Spans] | None:
        """Return the instruments that the version lists, and the first and last daily bar of those with any.

        Both ascending. None if it does not tell: the calendar has other dates now, or a file is not whole.
        """
        if self.manifest is None or self.manifest.recorded.calendar != calendar:
            return None
        [file] = self.manifest.files["instruments"]
        content = b"".join(self.target.chunks(file.path)) if self._has_right_size(file) else b""
        if sha256_of([content]) != file.sha256:
            return None
        # Imported here: a publication with nothing new asks for none of it.
        import pyarrow.parquet as pq  # noqa: PLC0415

        columns = pq.read_table(pa.BufferReader(content), columns=["instrument_id", *_REACH])
        listed = to_numpy(columns["instrument_id"])
        first, last = (to_numpy(columns[name]).astype("datetime64[D]") for name in _REACH)
        has_bars = ~np.isnat(first)
        ordinals = (sessions.ordinals_of(dates[has_bars]) for dates in (first, last))
        return listed, Spans(listed[has_bars], *ordinals)

    def parts(self, dataset: str) -> set[str]:
        """Return the parts of which the version has rows."""
        return {file.part for file in self._files(dataset)}

    def _files(self, dataset: str) -> Sequence[PublishedFile]:
        files = self.manifest.files.get(dataset, ()) if self.manifest else ()
        if self.manifest and "late_open" not in self.manifest.schema.get("sessions", {}):
            # Published when the calendar began in 1953, as did the first windows by what their rows say.
            return [file for file in files if file.part > "1953"]
        return files

    def _has_right_size(self, file: PublishedFile) -> bool:
        return self.sizes.get(file.path) == file.bytes

    def _has_dates_of(self, part: str, calendar: Mapping[str, str]) -> bool:
        """Return whether the dates of a part's year, and of the one before, are what they were.

        Windows begin in the year before.

        An early version did not name them; they are taken for the same.
        """
        then = self.manifest.recorded.calendar if self.manifest else {}
        if not then or not part:
            return True
        year = year_of(part)
        return all(then.get(of) == calendar.get(of) for of in (year, str(int(year) - 1)))
