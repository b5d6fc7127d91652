"""Writes the commit into what is built, so that condvest --version tells builds apart."""

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "condvest/commit.txt"


class CommitHook(BuildHookInterface[Any]):
    """Adds ``condvest/commit.txt`` to what is built of a checkout; a source distribution has it already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Find out the commit and hand a file with it to the builder."""
        root = Path(self.root)
        if version == "editable" or (root / NAME).exists() or not (root / ".git").exists():
            return
        asked = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            file = Path(self.directory) / "commit.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(asked.stdout, encoding="ascii")
            build_data["force_include"][str(file)] = NAME

    # The arguments are those of hatch's interface.
    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the file."""
        (Path(self.directory) / "commit.txt").unlink(missing_ok=True)
