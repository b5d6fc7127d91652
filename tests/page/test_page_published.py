"""The page of a server that reads published files, without a database."""

from dataclasses import replace

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from tests.support.publishing import published
from tests.support.serving import served


def test_published_files_are_charted_and_what_they_do_not_hold_is_said(browser, sample, tmp_path):
    place = tmp_path / "published"
    published(sample, DirectoryTarget(place))
    settings = replace(sample.workspace.settings, published_at=str(place))
    with served(settings, kind=PublishedBackend) as browser.address:
        browser.look()
        browser.open()  # no symbol is named: the first of the newest window
        browser.has("h2", "AAPL, bars of 13 sessions")
        browser.has(".note", "9 of 13 sessions, closes 2013-03-07")
        browser.open("?view=data&dataset=bars_13")
        cells = browser.texts("main td")
        assert {"bars_13", "938"} <= set(cells)
        assert any(len(cell) == 64 and not cell.strip("0123456789abcdef") for cell in cells)
        browser.open("?view=runs")
        assert "run --provider sample" in browser.text()
        assert browser.complaints() == []
