"""Whoever reads several published data sets has one version of them, whatever is published meanwhile.

An instrument trades at 100 for three sessions; then it is split 1:2 and trades at 50. Version 1 ends before
the split, version 2 after it. Bars of one with splits of the other would show a fall of half that never was.
"""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

import condvest
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.settings import Settings
from tests.support.payloads import split
from tests.support.publishing import published, quote

ROOT = Path(__file__).parents[3]
VERSIONS = {1: [100.0, 100.0, 100.0], 2: [50.0, 50.0, 50.0, 50.0]}
"""Version to its adjusted closes."""

ADJUSTED = (
    "SELECT close * coalesce(price_factor, 1) FROM daily_bars ASOF LEFT JOIN splits "
    "ON daily_bars.instrument_id = splits.instrument_id AND session < ex_date ORDER BY session"
)


class Place:
    """A published data set of version 1, that can be brought to further ones.

    Attributes:
        settings: what names it.
        root: its directory; the name has a quote and a blank.
    """

    def __init__(self, world, root):
        self._world, self.root = world, root
        self.settings = Settings(home=root.parent, published_at=str(root))
        world.bars([quote("ACME", world.date(at), 100.0) for at in range(3)])
        self.publish()

    def publish(self):
        published(self._world, DirectoryTarget(self.root))

    def split(self):
        """Publish version 2."""
        session = self._world.date(3)
        self._world.splits([split("ACME", session, 1, 2)])
        self._world.bars([quote("ACME", session, 50.0)])
        self.publish()

    def correct(self, close):
        """Publish one more version."""
        self._world.bars([quote("ACME", self._world.date(3), close)])
        self.publish()


@pytest.fixture
def place(world, tmp_path):
    return Place(world, tmp_path / "what's published")


def adjusted(bars, splits):
    """Return the closes times the factor of the split after them, from lists of files."""
    splits = [row for file in splits for row in pq.read_table(file).to_pylist()]
    rows = sorted(
        (row for file in bars for row in pq.read_table(file).to_pylist()), key=lambda row: row["session"]
    )
    factors = [
        next((one["price_factor"] for one in splits if one["ex_date"] > row["session"]), 1.0) for row in rows
    ]
    return [row["close"] * factor for row, factor in zip(rows, factors, strict=True)]


class TestPublishedFiles:
    def test_a_publication_between_two_data_sets(self, place):
        splits = condvest.published_files("splits", settings=place.settings)
        place.split()
        bars = condvest.published_files("daily_bars", settings=place.settings)
        assert adjusted(bars, splits) == VERSIONS[1]
        splits = condvest.published_files("splits", settings=place.settings)
        bars = condvest.published_files("daily_bars", settings=place.settings)
        assert adjusted(bars, splits) == VERSIONS[2]

    def test_asking_again_gives_the_newest(self, place):
        before = condvest.published_files("daily_bars", settings=place.settings)
        place.split()
        assert condvest.published_files("daily_bars", settings=place.settings) != before

    def test_another_thread_begins_with_the_newest(self, place):
        condvest.published_files("splits", settings=place.settings)
        place.split()
        with ThreadPoolExecutor(1) as pool:
            asked = [
                pool.submit(condvest.published_files, name, settings=place.settings)
                for name in ("splits", "daily_bars")
            ]
            splits, bars = (one.result() for one in asked)
        assert adjusted(bars, splits) == VERSIONS[2]

    def test_two_places_do_not_share_a_version(self, place, tmp_path):
        copy = tmp_path / "copy"
        shutil.copytree(place.root, copy)
        splits = condvest.published_files("splits", settings=place.settings)
        place.split()
        of_copy = Settings(home=tmp_path, published_at=str(copy))
        assert all(str(copy) in file for file in condvest.published_files("daily_bars", settings=of_copy))
        assert splits

    def test_a_version_that_is_gone_is_told(self, place):
        """Three versions stay beside the current one."""

        def late():
            condvest.published_files("splits", settings=place.settings)
            place.split()
            for close in (51.0, 52.0, 53.0):
                place.correct(close)
            with pytest.raises(PublishedError, match=r"version 1, of which splits.*published\(\)"):
                condvest.published_files("daily_bars", settings=place.settings)
            assert condvest.published_files("daily_bars", settings=place.settings)

        copy_context().run(late)


def test_published_hands_out_one_version(place):
    first = condvest.published(settings=place.settings)
    place.split()
    second = condvest.published(settings=place.settings)
    for one in (first, second):
        assert adjusted(one.files["daily_bars"], one.files["splits"]) == VERSIONS[one.version]
    assert first.through_load < second.through_load


class TestViewsOfDuckDB:
    """`examples/published.sql`, for who has no Python."""

    @pytest.fixture
    def run(self):
        """Run the script in a session; return version and adjusted closes."""
        script = (ROOT / "examples" / "published.sql").read_text()

        def run(session, **variables):
            for name, value in variables.items():
                session.execute(f"SET VARIABLE {name} = '{str(value).replace(chr(39), chr(39) * 2)}'")
            session.execute(script)
            return self.seen(session)

        return run

    def seen(self, session):
        version = session.sql("SELECT version FROM published_version").fetchall()[0][0]
        return version, [close for (close,) in session.sql(ADJUSTED).fetchall()]

    def test_they_stay_with_their_version_until_the_script_is_run_again(self, place, run):
        with duckdb.connect() as session:
            assert run(session, published=place.root) == (1, VERSIONS[1])
            place.split()
            assert self.seen(session) == (1, VERSIONS[1])
            assert run(session) == (2, VERSIONS[2])

    def test_an_earlier_version_and_a_copy(self, place, run, tmp_path):
        place.split()
        shutil.copytree(place.root, tmp_path / "moved")
        with duckdb.connect() as session:
            earlier = run(session, published=tmp_path / "moved", manifest="manifests/00000001.json")
            assert earlier == (1, VERSIONS[1])

    def test_where_nothing_is_published_it_says_so(self, run, tmp_path):
        with (
            duckdb.connect() as session,
            pytest.raises(duckdb.Error, match=r"no .*/manifest\.json: SET VARIABLE"),
        ):
            run(session, published=tmp_path)

    def test_there_is_a_view_of_every_data_set(self, place, run):
        place.split()
        manifest = json.loads((place.root / "manifest.json").read_text())
        with duckdb.connect() as session:
            run(session, published=place.root)
            assert session.sql("SELECT through_load FROM published_version").fetchall() == [
                (manifest["through_load"],)
            ]
            for name, files in manifest["files"].items():
                (rows,) = session.sql(f"SELECT count(*) FROM {name}").fetchall()[0]
                assert rows == sum(file["rows"] for file in files), name


def test_polars_and_pandas_follow_the_manifest(place):
    """The manifest alone, without Condvest; the version of before is still there."""
    place.split()
    for path, version in (("manifests/00000001.json", 1), ("manifest.json", 2)):
        files = {
            name: [place.root / file["path"] for file in files]
            for name, files in json.loads((place.root / path).read_text())["files"].items()
        }
        bars = pl.read_parquet(files["daily_bars"]).sort("session")
        splits = pl.read_parquet(files["splits"])
        joined = bars.join_asof(
            splits.sort("ex_date"),
            left_on="session",
            right_on="ex_date",
            by="instrument_id",
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        found = (joined["close"] * joined["price_factor"].fill_null(1.0)).to_list()
        assert found == VERSIONS[version]
        frame = pd.concat(map(pd.read_parquet, files["daily_bars"]))
        assert len(frame) == len(VERSIONS[version])
