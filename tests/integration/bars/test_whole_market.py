"""What is asked of the whole market is what is asked of each symbol by itself."""

import numpy as np
import pyarrow as pa
import pytest

from condvest.batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES, DAILY_BARS
from condvest.batch_layer.database.stores.daily import daily_bars
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.spans import always
from condvest.serving_layer.queries.reports.gaps import read_gaps
from condvest.serving_layer.queries.reports.quality import flag_bars

INSTRUMENTS, SESSIONS = 71, 60
NAMES = {one: f"S{one * 7 % INSTRUMENTS:02}" for one in range(1, INSTRUMENTS + 1)}
"""In another order than the instruments' numbers."""


@pytest.fixture
def market_bars(world):
    """Store daily bars session by session, one in ten missing, with moves and volumes that raise flags."""
    rng = np.random.default_rng(5)
    sessions, ids = np.divmod(np.flatnonzero(rng.random(SESSIONS * INSTRUMENTS) > 0.1), INSTRUMENTS)
    close = np.where(rng.random(len(ids)) < 0.01, 300.0, 100.0 + sessions % 3)
    volume = np.where(rng.random(len(ids)) < 0.01, 100_000.0, 1_000.0 + sessions)
    daily = DailyBars(
        (ids + 1).astype(np.int32),
        sessions.astype(np.int32),
        *[close] * 4,
        volume,
        np.where(sessions % 2 == 0, np.nan, close),
        np.full(len(ids), 5),
    )
    with world.workspace.database.transaction() as connection:
        for rows in np.split(np.arange(len(daily)), np.flatnonzero(np.diff(daily.ordinal)) + 1):
            DAILY_BARS.insert(connection, daily.take(rows), 1)
        connection.execute("INSERT INTO providers (provider, rank) VALUES ('file', 1) ON CONFLICT DO NOTHING")
        connection.execute(
            "INSERT INTO instruments (instrument_id) OVERRIDING SYSTEM VALUE SELECT generate_series(1, %s)",
            (INSTRUMENTS,),
        )
        connection.execute(
            "INSERT INTO instrument_providers SELECT instrument_id, min(provider_id), 1 "
            "FROM instruments, providers GROUP BY 1"
        )
        for instrument_id, symbol in NAMES.items():
            connection.execute(
                "INSERT INTO symbols (symbol, instrument_id) VALUES (%s, %s)", (symbol, instrument_id)
            )
    return daily


def held(daily):
    """Return the ordinals of each instrument."""
    ordinals = {}
    for one, ordinal in zip(daily.instrument_id.tolist(), daily.ordinal.tolist(), strict=True):
        ordinals.setdefault(one, set()).add(ordinal)
    return ordinals


def test_the_gaps_of_a_market_are_what_its_instruments_lack(world, market_bars):
    lacking = [
        (NAMES[one], world.sessions.session(ordinal))
        for one, own in held(market_bars).items()
        for ordinal in set(range(min(own), max(own))) - own
    ]
    found = read_gaps(world.workspace, [])
    assert list(zip(*(column.to_pylist() for column in found.columns), strict=True)) == sorted(lacking)
    assert len(lacking) > INSTRUMENTS
    assert read_gaps(world.workspace, list(NAMES.values())) == found


@pytest.mark.usefixtures("market_bars")
def test_the_flags_of_a_market_are_those_of_its_symbols(world):
    found = flag_bars(world.workspace, [])
    by_symbol = [flag_bars(world.workspace, [symbol]) for symbol in sorted(NAMES.values())]
    assert found.equals(pa.concat_tables(by_symbol).combine_chunks())
    assert set(found["flag"].to_pylist()) >= {"outlier_move", "volume_scale"}


@pytest.mark.parametrize("parts", [DAILY_BAR_TABLES, 2 * DAILY_BAR_TABLES])
def test_the_parts_of_a_market_are_its_rows_by_key(world, market_bars, parts):
    whole = market_bars.take(np.lexsort((market_bars.ordinal, market_bars.instrument_id)))
    with world.workspace.database.transaction(read_only=True) as connection:
        read = [DAILY_BARS.read_part(connection, parts, part) for part in range(parts)]
        runs = [DAILY_BARS.runs_of_part(connection, parts, part) for part in range(parts)]
        every = DAILY_BARS.runs(connection, always(np.unique(market_bars.instrument_id)))
    for part, (rows, run) in enumerate(zip(read, runs, strict=True)):
        expected = whole.take(whole.instrument_id % parts == part)
        for name, values in vars(expected).items():
            np.testing.assert_array_equal(getattr(rows, name), values, err_msg=name)
        for name, values in vars(every.take(every.instrument_id % parts == part)).items():
            np.testing.assert_array_equal(getattr(run, name), values, err_msg=name)


@pytest.mark.parametrize(("rows", "parts"), [(0, 16), (16_000_000, 16), (16_000_001, 32), (10**9, 64)])
def test_parts_are_as_many_as_memory_needs(monkeypatch, rows, parts):
    monkeypatch.setattr(daily_bars, "rows_loaded", lambda _: rows)
    assert daily_bars.number_of_parts(None) == parts
