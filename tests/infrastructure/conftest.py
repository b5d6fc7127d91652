"""Tests of the AWS side: Terraform, deploy.sh, and what they need.

Those marked ``aws`` start Terraform, checkov or an emulator. What one needs beside Terraform is installed by
install_tools.sh, which the first that needs it runs.
"""

from __future__ import annotations

import pytest
import workshop
from desk import Desk


@pytest.fixture(scope="session")
def terraform(tmp_path_factory):
    """Real Terraform on a copy of the configuration, with the provider stand-in."""
    return workshop.Terraform(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory):
    """Variables that name stand-ins for the built artefacts."""
    return workshop.stand_in_artefacts(tmp_path_factory.mktemp("artefacts"))


@pytest.fixture
def desk(tmp_path):
    """deploy.sh on a machine of stand-ins."""
    return Desk(tmp_path)
