"""A reader that looks all the time, and says at the end whether it ever saw anything half done.

    python watching_reader.py URL

Every load that it watches gives all daily bars one and the same volume, another one each time. So in any one
state of the database all daily bars have the same volume, and all bars of n sessions n times the same; and if
the two differ, records of changes wait. It reads until standard input ends, and prints one JSON object.
"""

import json
import select
import sys

import psycopg

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.shared.errors import DatabaseUnavailable
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question

_STATE = (
    "SELECT (SELECT array_agg(DISTINCT volume) FROM daily_bars), (SELECT count(*) FROM daily_bars), "
    "(SELECT array_agg(DISTINCT volume / sessions) FROM bars), "
    '(SELECT array_agg(count ORDER BY "interval") FROM '
    '  (SELECT "interval", count(*) FROM bars GROUP BY 1) AS counted), '
    "(SELECT count(*) FROM changes)"
)


class Watch:
    def __init__(self):
        self.states, self.lost, self.wrong = 0, 0, []
        self._counts = set()

    def look(self, database, sessions):
        with database.transaction(snapshot=True, read_only=True) as connection:
            daily, rows, bars, counts, waiting = connection.execute(_STATE).fetchone()
        self.states += 1
        if len(daily or ()) > 1:
            self.wrong.append(f"half a load: volumes {daily}")
        if len(bars or ()) > 1:
            self.wrong.append(f"half a resampling: volumes {bars}")
        if daily != bars and not waiting:
            self.wrong.append(f"bars of {bars} behind daily bars of {daily}, and nothing waits")
        # The first load makes them all; afterwards there are as many at any time.
        self._counts |= {("daily", rows), ("bars", str(counts))} if bars else set()
        if len(self._counts) > 2:
            self.wrong.append(f"now more, now fewer: {self._counts}")
        table = read_bars(database, sessions, Question(interval=13, adjust="none", include_open=True))
        volumes = zip(table["volume"].to_pylist(), table["sessions"].to_pylist(), strict=True)
        if len({volume / count for volume, count in volumes}) > 1:
            self.wrong.append("half a resampling in one answer")


def ended(seconds):
    """Wait so long for the end of standard input, and return whether it has come."""
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def main():
    watch = Watch()
    while not ended(0):
        try:
            with Database(sys.argv[1]) as database:
                with database.transaction(read_only=True) as connection:
                    sessions = read_sessions(connection)
                # A pause between two looks, or it would leave no processor to those it watches.
                while not ended(0.01):
                    watch.look(database, sessions)
        except (DatabaseUnavailable, psycopg.OperationalError):
            watch.lost += 1
            ended(0.02)  # the server is away: nobody can tell when it will be back
    print(json.dumps({"states": watch.states, "lost": watch.lost, "wrong": watch.wrong}))


if __name__ == "__main__":
    main()
