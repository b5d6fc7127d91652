"""What a build adds to the checkout's files: the commit, for condvest --version, and the sample's prices.

The prices are a file of 0.3 MB of the package bokeh-sampledata, which with what it needs takes 39 MB.
"""

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMIT = "condvest/commit.txt"
PRICES = "condvest/batch_layer/shared/clients/sample/stocks.csv.gz"


class AddingHook(BuildHookInterface[Any]):
    """Adds both to what is built of a checkout; a source distribution has them already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Find the files and hand them to the builder."""
        if version == "editable":
            return
        root = Path(self.root)
        added: dict[str, str] = build_data["force_include"]
        if not (root / PRICES).exists():
            added[str(_prices())] = PRICES
        if (root / COMMIT).exists() or not (root / ".git").exists():
            return
        asked = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            file = Path(self.directory) / "commit.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(asked.stdout, encoding="ascii")
            added[str(file)] = COMMIT

    # The arguments are those of hatch's interface.
    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the file."""
        (Path(self.directory) / "commit.txt").unlink(missing_ok=True)


def _prices() -> Path:
    """Return the file of prices of the build's environment."""
    package = importlib.util.find_spec("bokeh_sampledata")
    if package is None or package.origin is None:
        raise RuntimeError(
            "a build needs bokeh-sampledata 2026.1 or later, for the sample's prices: install it"
        )
    return Path(package.origin).parent / "_data/stocks.csv.gz"
