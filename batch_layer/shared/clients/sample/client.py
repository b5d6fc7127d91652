"""The sample as a provider."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from importlib import resources
from importlib.resources.abc import Traversable

from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.file_options import AS_TRADED
from condvest.batch_layer.shared.models.given.payloads import DatasetName, Fetched, Payload
from condvest.batch_layer.shared.models.instruments.providers import Cost
from condvest.batch_layer.shared.utils.clock import utc_now

FIRST_SESSION = dt.date(2000, 3, 1)
LAST_SESSION = dt.date(2013, 3, 1)

_PRICES = "bokeh_sampledata/_data/stocks.csv.gz"

_COPY = "stocks.csv.gz"
"""The same file beside this module, where a build put it."""


class SampleProvider:
    """A ``Provider`` that needs no key and no network. It holds nothing else than its five companies.

    Attributes:
        name: ``"sample"``.
        corrects: False, for the sample never changes.
    """

    name = "sample"
    corrects = False

    def __init__(self, clock: Callable[[], dt.datetime] = utc_now) -> None:
        """Make the provider.

        Args:
            clock: tells when an answer is fetched, as an aware datetime.
        """
        self._clock = clock

    def coverage(self, last_closed: dt.date) -> tuple[dt.date, dt.date]:
        """Return the sample's first and last session, neither of them after ``last_closed``."""
        return min(FIRST_SESSION, last_closed), min(LAST_SESSION, last_closed)

    def cost(self, sessions: int) -> Cost:  # noqa: ARG002  # nothing, however many
        """Return what asking costs: nothing."""
        return Cost()

    def fetch(self, sessions: Sequence[dt.date]) -> Sequence[Fetched]:
        """Return the one answer that holds all sessions of the sample; none if none of them is asked for.

        Raises:
            InputError: the package that ships the prices is not there.
        """
        if not any(FIRST_SESSION <= session <= LAST_SESSION for session in sessions):
            return ()
        return (self._fetched("daily_bars", _prices(), "csv.gz", _PRICES),)

    def corporate_actions(self, since: dt.date | None = None) -> Sequence[Fetched]:  # noqa: ARG002  # all are few
        """Return the splits and the dividends of the companies, one answer each, whatever ``since``."""
        here: Traversable = resources.files(__package__)
        datasets: tuple[DatasetName, ...] = ("splits", "dividends")
        return tuple(
            self._fetched(
                dataset, here.joinpath(f"{dataset}.csv").read_bytes(), "csv", f"sample/{dataset}.csv"
            )
            for dataset in datasets
        )

    def _fetched(self, dataset: DatasetName, content: bytes, media: str, name: str) -> Fetched:
        payload = Payload(
            provider=self.name,
            dataset=dataset,
            content=content,
            media=media,
            first_session=FIRST_SESSION,
            last_session=LAST_SESSION,
            fetched_at=self._clock(),
            is_whole=True,
            name=name,
            options=AS_TRADED,
        )
        return Fetched(payload)


def _prices() -> bytes:
    """Return the file of prices: the copy that a build made, or else the package's."""
    copied: Traversable = resources.files(__package__).joinpath(_COPY)
    if copied.is_file():
        return copied.read_bytes()
    package, _, path = _PRICES.partition("/")
    try:
        return resources.files(package).joinpath(path).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise InputError(
            f"{_PRICES} is not installed; in a checkout the sample needs the package bokeh-sampledata "
            "2026.1 or later: pip install 'condvest[sample]'"
        ) from error
