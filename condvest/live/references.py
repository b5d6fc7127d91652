"""The wiring: what alert rules read, from the database, by the code that answers every other question."""

from __future__ import annotations

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.loading.loads import last_load
from condvest.batch_layer.database.stores.sessions import present_sessions
from condvest.batch_layer.shared.core.windows import first_ordinals, last_ordinals, windows_of
from condvest.batch_layer.shared.models.bars import Bars, Int32s
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.queries.bars.answering import answer
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.sources.database import DatabaseSource
from condvest.speed_layer.core.alerts.market import reach_of
from condvest.speed_layer.core.alerts.references import References
from condvest.speed_layer.core.alerts.rules import Needs


def read_references(
    connection: Connection,
    sessions: Sessions,
    bounds: tuple[int, int],
    needs: Needs,
    symbols: tuple[str, ...] | None = None,
) -> References:
    """Return what rules read in some sessions; see `condvest.speed_layer.services.alerts.alerting.Read`.

    Args:
        connection: in a transaction that sees one state of the database.
        sessions: the calendar; it may reach beyond what is loaded.
        bounds: the first and the last session.
        needs: by interval how many complete bars.
        symbols: of the instruments; all if None.

    Raises:
        UnknownSymbol: no instrument carries or carried a symbol.
    """
    source = DatabaseSource(connection, present_sessions(connection, sessions))
    # By its symbol alone, one that has lost it lately could not be told from the one that took it.
    names, ids = select(source, symbols, unique=symbols is None)
    first, last = bounds
    longest = max(needs)
    begin = max(_first_of(first, longest), sessions.first_ordinal)
    return References(
        ids=ids,
        symbols=names,
        daily=source.daily(Spans.within(ids, begin, last)),
        bars={n: _complete(source, n, bounds, most, symbols) for n, most in needs.items()},
        splits=source.splits(ids).on(sessions),
        coverage=source.coverage(ids),
        needs=needs,
        load=last_load(connection),
    )


def _complete(
    source: DatabaseSource, interval: int, bounds: tuple[int, int], most: int, symbols: tuple[str, ...] | None
) -> Bars:
    """Return the complete bars of an interval that sessions look back on, each on its own basis."""
    sessions = source.sessions
    first = int(windows_of(_array(bounds[0]), interval)[0]) - reach_of(most)
    last = int(windows_of(_array(bounds[1]), interval)[0]) - 1
    start = max(int(last_ordinals(_array(first), interval)[0]), sessions.first_ordinal)
    end = min(int(last_ordinals(_array(last), interval)[0]), sessions.last_ordinal)
    question = Question(
        symbols=symbols,
        interval=interval,
        start=sessions.session(min(start, end)),
        end=sessions.session(end),
        adjust="none",
    )
    bars = answer(source, question).bars
    return bars.in_order(pack(bars.instrument_id, bars.window))


def _first_of(ordinal: int, interval: int) -> int:
    return int(first_ordinals(windows_of(_array(ordinal), interval), interval)[0])


def _array(value: int) -> Int32s:
    return np.array([value], dtype=np.int32)
