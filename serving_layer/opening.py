"""From settings to something that answers: an open database, or a published data set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batch_layer.database.opening import OpenDatabase, open_database
from batch_layer.shared.settings import Settings

if TYPE_CHECKING:
    from serving_layer.sources.published import PublishedSource


@contextmanager
def open_for_reading(settings: Settings) -> Iterator[OpenDatabase]:
    """Open the database of the settings to read it; an empty database is refused, not given a schema.

    Raises what `open_database` does.
    """
    from batch_layer.shared.clients import aws  # noqa: PLC0415  # needed only to open

    login = aws.database_login(settings)
    with open_database(settings, login, may_create=False) as database:
        yield OpenDatabase(settings, database, dt.datetime.now(dt.UTC))


def open_published(settings: Settings) -> PublishedSource:
    """Open the current version of the published data set of the settings.

    Raises:
        PublishedError, PublishedUnavailable: nothing is published there, or it cannot be read.
    """
    # Imported here: reading from the database does not need what reads Parquet.
    from batch_layer.shared.clients.publish_targets import target_at  # noqa: PLC0415
    from serving_layer.sources.published import PublishedSource  # noqa: PLC0415

    return PublishedSource.open(target_at(settings.published))
