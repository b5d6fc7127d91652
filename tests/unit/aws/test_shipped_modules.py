"""What is left out of the functions' package, held against what their handlers import."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UNUSED = json.loads((ROOT / "batch_layer/deploy/packing/unused.json").read_text())
HANDLERS = ("archive_loader", "daily_meta_fetcher", "daily_ohlcv_fetcher")


@pytest.mark.parametrize("handler", HANDLERS)
def test_what_a_handler_imports_is_shipped(handler):
    program = (
        f"import sys, condvest.batch_layer.fetching.lambda_functions.{handler}\n"
        "for module in list(sys.modules.values()): print(getattr(module, '__file__', None) or '')"
    )
    imported = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    ours = [
        Path(line).relative_to(ROOT).as_posix()
        for line in imported.splitlines()
        if f"{ROOT}/condvest/batch_layer/" in line
    ]
    assert len(ours) > 20
    assert [path for path in ours if any(re.search(rule, path) for rule in UNUSED["function"])] == []
