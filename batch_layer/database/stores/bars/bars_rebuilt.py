"""Tables in which all bars are built anew beside the stored ones, and the switch from those to these.

All of it is done in one transaction: until it commits, everybody reads the bars of before. Open bars are
built among the others; they leave for `open_bars` when a night alters them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from condvest.batch_layer.database.postgres import replacing
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import holds
from condvest.batch_layer.database.postgres.touched import EVERY_KEY, touch
from condvest.batch_layer.database.stores.bars import open_bars
from condvest.batch_layer.database.stores.bars.closed_bars import table_of
from condvest.batch_layer.database.stores.bars.stored import insert_bars
from condvest.batch_layer.shared.errors import DatabaseUnavailable
from condvest.batch_layer.shared.models.bars import Bars

_TRIES = 240
"""Two minutes."""

_PARENT = "closed_bars"
_CHECK = "of_one_interval"


def may_build(connection: Connection) -> bool:
    """Return whether no bar is stored yet, and the present user may make tables in the place of these."""
    is_empty = holds(connection, "SELECT NOT EXISTS (SELECT FROM bars)")
    return is_empty and replacing.may_replace(connection, _PARENT)


def create(connection: Connection, intervals: Sequence[int]) -> None:
    """Make the new tables, without keys: a key costs less when it is made for all rows at once."""
    for n in intervals:
        replacing.create(connection, table_of(n))


def append(connection: Connection, interval: int, bars: Bars) -> None:
    """Add bars to a new table."""
    insert_bars(connection, interval, bars, table=replacing.new_name(table_of(interval)))


def make_key(connection: Connection, interval: int) -> None:
    """Give a new table, now full, its key and what the planner has to know of it.

    The planner needs little: whoever reads bars looks for each span by the key, whatever the statistics say,
    so a tenth of the usual sample will do.
    """
    for statement in (
        "SET LOCAL default_statistics_target = 10",
        'ALTER TABLE {new} ADD PRIMARY KEY ("interval", instrument_id, "window")',
        # By this the table can be attached without being read once more.
        'ALTER TABLE {new} ADD CONSTRAINT {check} CHECK ("interval" = {n})',
        "ANALYZE {new}",
    ):
        connection.execute(
            sql.SQL(statement).format(
                new=sql.Identifier(replacing.new_name(table_of(interval))),
                check=sql.Identifier(_CHECK),
                n=sql.Literal(interval),
            )
        )


def switch(connection: Connection, built: Mapping[int, int]) -> None:
    """Put the new tables in the place of the old ones, with the rights that others have on those.

    Args:
        connection: in the transaction that made the new tables.
        built: interval to the number of bars in its new table.

    Raises:
        DatabaseUnavailable: for two minutes somebody read the old ones without a pause.
    """
    if not replacing.lock(connection, (_PARENT, open_bars.TABLE), _TRIES):
        raise DatabaseUnavailable(
            "the bars are built, but others read the stored ones without a pause, so they cannot be "
            "switched; nothing was changed, run it again"
        )
    # No bar was stored before (see `may_build`), or what was stored is damaged.
    open_bars.empty(connection)
    for n, bars in built.items():
        dataset = f"bars_{n}"
        replacing.switch(connection, _PARENT, table_of(n), n, watched_as=dataset, check=_CHECK)
        touch(connection, dataset, *EVERY_KEY, bars)
