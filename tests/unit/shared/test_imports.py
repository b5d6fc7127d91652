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


def ours_after(code):
    """Return the modules of ours that are loaded after some code."""
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split() if name.startswith(("batch_layer", "serving_layer"))]


def test_importing_condvest_loads_no_layer_and_its_names_only_what_reads():
    assert ours_after("import condvest") == []
    loaded = ours_after("import condvest; condvest.bars")
    assert loaded != []
    assert [
        name for name in loaded if "fetching" in name or "processing" in name or "operations" in name
    ] == []


def test_every_public_name_is_there_and_another_is_refused_by_name():
    code = "import condvest; [getattr(condvest, name) for name in condvest.__all__]; condvest.bar"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "module 'condvest' has no attribute 'bar'; it has INTERVALS, " in done.stderr
