"""What any source can answer: the database, what is published, or a server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from condvest.asking import From, answered
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.opening import past_of
from condvest.serving_layer.sources import BarSource

if TYPE_CHECKING:
    from condvest.batch_layer.database.opening import OpenDatabase
    from condvest.serving_layer.queries.remote import Value


def of_any_source(
    name: str,
    parameters: Mapping[str, Value],
    read: Callable[[BarSource], pa.Table],
    source: From,
    settings: Settings | None,
    *,
    as_of: dt.datetime | None = None,
    symbols: Sequence[str] = (),
) -> pa.Table:
    """Answer what any source can.

    Args:
        name: the endpoint of a server.
        parameters: its parameters, None for one that is not given.
        read: reads the same from a database or a published data set.
        source: ``"database"``, ``"published"`` or the address of a server.
        settings: where the database and the published data set are; from the environment if None.
        as_of: what was known then; None for what is known now.
        symbols: that a server is asked for; it takes none for all.

    Raises:
        UsageError: the source does not hold this.
        CondvestError: the source cannot be opened or read.
    """

    def from_database(opened: OpenDatabase) -> pa.Table:
        # Imported here: reading published files needs no module of the database.
        from condvest.serving_layer.sources.database import reading  # noqa: PLC0415

        with reading(opened.database, opened.sessions, as_of) as reader:
            return read(reader)

    def from_published(where: Settings) -> pa.Table:
        return read(past_of(where, as_of))

    return answered(
        source,
        settings,
        database=from_database,
        published=from_published,
        server=asking_server(name, parameters, symbols),
    )


def asking_server(
    name: str, parameters: Mapping[str, Value], symbols: Sequence[str] = ()
) -> Callable[[str, str | None], pa.Table]:
    """Return what asks a server's endpoint; it takes the server's address and a key, if it wants one."""

    def ask(address: str, key: str | None) -> pa.Table:
        from condvest.serving_layer.queries.remote import read_over_http  # noqa: PLC0415  # few ask over HTTP

        return read_over_http(address, key, name, parameters, symbols)

    return ask
