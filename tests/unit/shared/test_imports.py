"""What is heavy is imported by whoever needs it, and by nobody else."""

import importlib
import re
import subprocess
import sys

import pytest

from condvest.cli import MODULES


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
    return [name for name in done.stdout.split() if re.match(r"condvest\.\w+_layer\b", name)]


def test_the_version_needs_no_library_of_data():
    code = "import sys, contextlib, condvest.cli\nwith contextlib.suppress(SystemExit): condvest.cli.main()\n"
    code += "print(*{'numpy', 'pyarrow', 'psycopg', 'rich', 'exchange_calendars'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True
    )
    version, loaded = done.stdout.splitlines()
    assert ", version " in version
    assert loaded == ""


def test_each_command_is_in_the_module_that_is_named_for_it():
    """And no module has another: it would be missing from the command line."""
    for module, names in MODULES.items():
        commands = importlib.import_module(f"condvest.cli.commands.{module}").COMMANDS
        assert sorted(command.name for command in commands) == sorted(names)


def test_importing_condvest_loads_no_layer_and_its_names_only_what_reads():
    assert ours_after("import condvest") == []
    loaded = ours_after("import condvest; condvest.bars")
    assert loaded != []
    assert [
        name for name in loaded if "fetching" in name or "processing" in name or "operations" in name
    ] == []
    assert len(loaded) < 45
    code = "import sys, condvest, condvest.cli.commands.bars; condvest.bars; "
    code += "print('pyarrow.compute' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_reading_published_files_loads_no_module_of_the_database():
    """The modules that a call of `condvest.bars(source="published")` imports on its way are named here."""
    loaded = ours_after(
        "import condvest, condvest.serving_layer.sources.published; condvest.bars; "
        "import condvest.batch_layer.shared.clients.publish_targets.directory"
    )
    assert "condvest.serving_layer.queries.bars.answering" in loaded
    assert [name for name in loaded if name.startswith("condvest.batch_layer.database")] == []
    assert len(loaded) < 57


def test_pandas_is_imported_by_frames_alone():
    code = (
        "import sys, condvest; "
        "[getattr(condvest, name) for name in condvest.__all__ if name not in ('frame', 'panel')]; "
        "assert 'pandas' not in sys.modules; condvest.frame; assert 'pandas' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_another_is_refused_by_name():
    code = "import condvest; [getattr(condvest, name) for name in condvest.__all__]; condvest.bar"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "module 'condvest' has no attribute 'bar'; it has INTERVALS, " in done.stderr
