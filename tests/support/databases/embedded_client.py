"""A process that uses the embedded server as it is told, one word a line; it answers one JSON a line."""

import json
import os
import sys
from pathlib import Path

import psycopg

from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.shared.errors import CondvestError


class Client:
    def __init__(self, home, table):
        self.server = EmbeddedServer(home)
        self.table = table
        self.leases = []

    def lease(self):
        lease = self.server.lease()
        url = lease.__enter__()
        self.leases.append(lease)
        return url

    def leave(self):
        self.leases.pop().__exit__(None, None, None)

    def leave_in_a_fork(self):
        child = os.fork()
        if child == 0:
            self.leave()
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def insert(self):
        with psycopg.connect(self.server.url()) as connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {self.table} (n int)")
            connection.execute(f"INSERT INTO {self.table} VALUES (1)")

    def count(self):
        with psycopg.connect(self.server.url()) as connection:
            return connection.execute(f"SELECT count(*) FROM {self.table}").fetchone()[0]

    def pid(self):
        return self.server.status().pid

    def up(self):
        return self.server.up()

    def down(self):
        return self.server.down().name

    def down_now(self):
        return self.server.down(now=True).name


def main():
    client = Client(Path(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        try:
            answer = {"value": getattr(client, line.strip())()}
        except CondvestError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
