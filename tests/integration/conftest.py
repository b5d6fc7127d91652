"""What the tests of the database share beside the root's fixtures."""

import pytest

from batch_layer.database.postgres.connection import Database
from batch_layer.operations.workspace import Workspace
from batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.aws.lambdas import aws_endpoint, lambda_market, lambdas, s3, vendor
from tests.support.exchange import NOW
from tests.support.worlds.long_world import LongWorld

__all__ = ["aws_endpoint", "lambda_market", "lambdas", "s3", "vendor"]
"""Fixtures of the functions on AWS, for the files that call them."""


@pytest.fixture(scope="module")
def lasting_world(server, sessions, tmp_path_factory):
    """A `LongWorld` for all examples that Hypothesis draws in a module; each example empties it first."""
    home = tmp_path_factory.mktemp("home")
    with server.lent() as url, Database(url) as database:
        world = LongWorld(
            Workspace(Settings(home=home, database=DatabaseSettings(url=url)), database, NOW), sessions
        )
        yield world
        world.close()
