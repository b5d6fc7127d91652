"""Questions about a whole market that keep it sound: its gaps, its flags, its list of instruments.

Beside the gaps stands one statement of SQL with `lead()`, whose answer must be the same; beside the flags the
floor: the same rows read from the tables, and nothing looked for.
"""

from benchmarks import core, stored
from benchmarks.report import figures, in_turns
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.database.stores.daily.daily_bars import number_of_parts
from condvest.cli.output import screen
from condvest.serving_layer.queries.instruments import read_instruments
from condvest.serving_layer.queries.reports.gaps import read_gaps
from condvest.serving_layer.queries.reports.quality import flag_bars

LEAD = """
SELECT symbol, session FROM (
  SELECT instrument_id, ordinal, lead(ordinal) OVER (PARTITION BY instrument_id ORDER BY ordinal) AS next
  FROM daily_bars) AS held
JOIN symbols USING (instrument_id)
JOIN sessions ON sessions.ordinal > held.ordinal AND sessions.ordinal < next
WHERE next > held.ordinal + 1 ORDER BY symbol COLLATE "C", session
"""


def run(options):
    """Yield a figure a contender."""
    with stored.workspace() as opened:
        stored.store(opened.database, core.market(options.rows, options.seed))

        def of_sql():
            with opened.database.transaction(read_only=True) as connection:
                return connection.execute(LEAD).fetchall()

        if (
            list(zip(*(column.to_pylist() for column in read_gaps(opened, []).columns), strict=True))
            != of_sql()
        ):
            raise AssertionError("the gaps of Condvest and of SQL differ")
        for ours, contenders in (
            ("gaps", {"gaps": lambda: read_gaps(opened, []), "gaps by lead()": of_sql}),
            ("quality", {"quality": lambda: flag_bars(opened, []), "reading alone": lambda: read(opened)}),
            ("instruments", {"instruments": lambda: listed(opened)}),
        ):
            yield from figures(in_turns(contenders, options.repeats), {}, options.rows, ours)


def read(opened):
    """Read all daily bars, part by part."""
    with opened.database.transaction(read_only=True) as connection:
        parts = number_of_parts(connection)
        return sum(len(DAILY_BARS.read_part(connection, parts, part)) for part in range(parts))


def listed(opened):
    """Lay the instruments out as a table for people; return its lines."""
    found = read_instruments(opened)
    return list(screen.lines(found.column_names, [list(row.values()) for row in found.to_pylist()]))
