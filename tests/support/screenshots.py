"""Take the pictures of the documentation anew, of the sample's prices: ``make screenshots``."""

import base64
import sys
import tempfile
from pathlib import Path

from condvest.batch_layer.operations import nightly
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.settings import Settings
from tests.support.browser import chromium
from tests.support.serving import served

FOLDER = Path(__file__).parents[2] / "docs/page"
PICTURES = {
    "chart": (1280, 800, "light", "?symbol=AAPL&interval=21&bars=all&log=1"),
    "origin": (1280, 1150, "dark", "?symbol=GOOG&interval=21&bars=90&bar=2012-10-11"),
    "market": (1280, 330, "light", "?view=market"),
    "coverage": (1280, 720, "light", "?view=coverage"),
    "phone": (390, 844, "dark", "?symbol=IBM&interval=5&bars=70"),
}
"""Name to width and height in pixels, theme, and query."""


def main():
    """Load the sample into a database of its own, serve it, and look at it."""
    with (
        tempfile.TemporaryDirectory(prefix="condvest-pictures-") as home,
        open_workspace(Settings(home=Path(home))) as workspace,
    ):
        nightly.run(workspace, "sample", on_wait=print)
        with served(workspace.settings) as address, chromium() as page:
            page.address = address
            FOLDER.mkdir(exist_ok=True)
            for name, picture in PICTURES.items():
                take(page, FOLDER / f"{name}.png", *picture)


def take(page, path, width, height, theme, query):
    """Write one picture."""
    page.look(width=width, theme=theme)
    page.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
    )
    page.open(query)
    page.until(
        "return !document.querySelector('main .loading, [data-spark]:empty') &&"
        " (!document.querySelector('.plot') || Boolean(document.querySelector('.asof')))"
    )
    shot = page.command("Page.captureScreenshot", format="png", optimizeForSpeed=False)
    path.write_bytes(base64.b64decode(shot["data"]))
    sys.stderr.write(f"{path.name}: {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
