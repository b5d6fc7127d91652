"""What is heavy is imported by whoever needs it, and by nobody else."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["condvest", "condvest.cli"])
def test_nobody_waits_for_what_asks_vendors_and_reads_or_writes_files(module):
    """Each is a tenth of a second and more; `condvest --help` needs none of them."""
    heavy = {"pandas", "httpx", "boto3", "yfinance", "pyarrow.parquet", "pyarrow.fs"}
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
