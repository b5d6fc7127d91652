"""Published files that stay decoded between reads: each read is of the version that is current."""

import pytest

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.serving_layer.sources.keeping import kept_rows
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.payloads import bar, split
from tests.support.publishing import from_database, from_files, published


@pytest.mark.parametrize("interval", [1, 3])
def test_a_new_version_is_read_at_once(world, tmp_path, interval):
    """Of three reads the first decodes row groups, the second whole files, the third nothing."""
    target = DirectoryTarget(tmp_path / "published")
    rows = [bar(symbol, world.date(at)) for symbol in "ABCDEFGHI" for at in range(300)]
    world.bars(rows, whole=(0, 299))
    world.splits([split("B", world.date(200), 1, 2)])
    for change in (None, [bar("B", world.date(250), high=999.0)]):
        if change:
            world.bars(change)
        published(world, target)
        asked = {"symbols": ["B"], "interval": interval}
        expected = from_database(world, **asked)
        assert len(expected) == 300 // interval
        before = kept_rows._decoded.bytes
        for _ in range(3):
            assert from_files(target, **asked).equals(expected)
        assert kept_rows._decoded.bytes > before
    assert 999.0 in from_files(target, symbols=["B"], interval=interval)["high"].to_pylist()
    one = {"interval": 1, "start": world.date(100), "end": world.date(101)}
    for _ in range(3):
        assert from_files(target, **one).equals(from_database(world, **one))


def test_an_unchanged_manifest_is_the_same_source_and_a_new_one_is_another(world, tmp_path):
    target = DirectoryTarget(tmp_path / "published")
    world.bars([bar("A", world.date(at)) for at in range(6)], whole=(0, 5))
    published(world, target)
    first = PublishedSource.open(target)
    assert PublishedSource.open(DirectoryTarget(tmp_path / "published")) is first
    world.bars([bar("A", world.date(6))], whole=(6, 6))
    published(world, target)
    assert PublishedSource.open(target).version != first.version
