import datetime as dt

import pytest

from tests.support.emulators.massive import MassiveEmulator
from tests.support.emulators.probe import NOW
from tests.support.emulators.synthetic.market import Market


@pytest.fixture(scope="session")
def small_market():
    """About 150 instruments from 2023-12-01 to 2024-06-28."""
    return Market(
        seed=5, instruments=150, first_session=dt.date(2023, 12, 1), last_session=dt.date(2024, 6, 28)
    )


@pytest.fixture
def massive(small_market):
    """The emulated Massive over `small_market`, twelve days after its last session."""
    with MassiveEmulator(small_market, now=NOW) as running:
        yield running
