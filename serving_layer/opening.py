"""From settings to something that answers: an open database, or a published data set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from condvest.batch_layer.shared.settings import Settings

if TYPE_CHECKING:
    from condvest.batch_layer.database.opening import OpenDatabase
    from condvest.serving_layer.sources import BarSource
    from condvest.serving_layer.sources.published import PublishedSource


@contextmanager
def open_for_reading(settings: Settings) -> Iterator[OpenDatabase]:
    """Open the database of the settings to read it; an empty database is refused, not given a schema.

    Raises what `open_database` does.
    """
    # Imported here: reading published files needs no module of the database.
    from condvest.batch_layer.database.opening import OpenDatabase, open_database  # noqa: PLC0415

    login = None
    if settings.database.iam or settings.database.secret is not None:
        from condvest.batch_layer.shared.clients import aws  # noqa: PLC0415  # few databases log in by AWS

        login = aws.database_login(settings)
    with open_database(settings, login, may_create=False, may_revive=True) as database:
        yield OpenDatabase(settings, database, dt.datetime.now(dt.UTC))


def open_published(settings: Settings, version: str | None = None) -> PublishedSource:
    """Open the published data set of the settings: its current version, or another that is kept.

    Raises:
        PublishedGone: the version is not kept.
        PublishedError, PublishedUnavailable: nothing is published there, or it cannot be read.
    """
    # Imported here: reading from the database does not need what reads Parquet.
    from condvest.batch_layer.shared.clients.publish_targets import target_at  # noqa: PLC0415
    from condvest.serving_layer.sources.published import PublishedSource  # noqa: PLC0415

    target = target_at(settings.published)
    return PublishedSource.open(target) if version is None else PublishedSource.open_at(target, version)


def past_of(settings: Settings, as_of: dt.datetime | None) -> BarSource:
    """Open what the published data set of the settings knew at an instant (aware); now if None.

    Raises:
        PublishedError, PublishedUnavailable: as `open_published`.
        UsageError: an earlier version of Condvest published it, without history.
    """
    published = open_published(settings)
    if as_of is None:
        return published
    from condvest.serving_layer.sources.published_past import as_known  # noqa: PLC0415  # few questions are of the past

    return as_known(published, as_of)


def live_of(settings: Settings) -> BarSource:
    """Open the current version of the published data set with the session under way.

    Raises:
        PublishedError, PublishedUnavailable: as `open_published`; or the live rows cannot be read, or are of
            another database.
    """
    from condvest.serving_layer.sources.published_live import with_live  # noqa: PLC0415  # few questions are about now

    return with_live(open_published(settings))[0]
