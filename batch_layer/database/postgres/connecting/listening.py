"""Waiting for notices of other sessions (LISTEN), on a connection of its own."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Database


class Listening:
    """Hears notices on some channels.

    What was sent before `wait` was first called is not heard, and neither is what is sent while a lost
    connection is opened again: a notice says that it is time to look, and who relies on it looks now and
        then anyway.
    """

    def __init__(self, database: Database, channels: Sequence[str]) -> None:
        """Take a database whose connection nothing else uses, and the channels."""
        self._database = database
        self._channels = channels
        self._heard_on: object = None

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def wait(self, seconds: float) -> bool:
        """Wait for a notice, and return whether one came.

        Raises:
            DatabaseUnavailable: no server answers, or the connection was lost.
        """
        with self._database.idle() as connection:
            if self._heard_on is not connection:
                connection.autocommit = True
                for channel in self._channels:
                    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                self._heard_on = connection
            return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))
