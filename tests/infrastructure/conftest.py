"""Tests of the AWS side: Terraform, deploy.sh, and what they need.

Quick ones run with everything else. Those marked ``aws`` start Terraform, checkov or an emulator and take minutes: they
run when asked for, by ``pytest -m aws``.
"""

from __future__ import annotations

import pytest
import workshop


def pytest_configure(config):
    config.addinivalue_line("markers", "aws: starts Terraform, checkov or an AWS emulator; takes minutes")


def pytest_collection_modifyitems(config, items):
    """Leave the slow tests out unless a marker expression was given."""
    if config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("aws")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("aws")]


@pytest.fixture(scope="session")
def terraform(tmp_path_factory):
    """Real Terraform on a copy of the configuration, with the provider stand-in."""
    return workshop.Terraform(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory):
    """Variables that name stand-ins for the built artefacts."""
    return workshop.stand_in_artefacts(tmp_path_factory.mktemp("artefacts"))
