"""What the sessions that answer may do in the database."""

from __future__ import annotations

LONGEST_STATEMENT = 30
"""Seconds that the database works on one statement, and waits for one lock, before it gives up."""

SESSION = {
    "default_transaction_read_only": "on",
    "statement_timeout": f"{LONGEST_STATEMENT}s",
    "lock_timeout": f"{LONGEST_STATEMENT // 2}s",
    "idle_in_transaction_session_timeout": f"{2 * LONGEST_STATEMENT}s",
}
"""Of the sessions that answer: they can write nothing, and hold nothing up."""
