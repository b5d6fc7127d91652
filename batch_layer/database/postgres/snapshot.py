"""What names the state that a statement sees, as SQL.

A snapshot numbers transactions, and a server that is put back to an earlier copy of its files, or to an
instant, numbers them anew from there: the same text comes again with other rows behind it. Nothing takes a
server back while it runs, so the instant at which it was started tells the two apart.
"""

from __future__ import annotations

SERVER = "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8::text"
"""When the server was started, in microseconds since 1970."""

SNAPSHOT = f"{SERVER} || ':' || pg_current_snapshot()::text"
"""The server's start and the snapshot: digits, colons and commas. On a standby it does not tell all."""
