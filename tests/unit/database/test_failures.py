"""Every SQLSTATE that is told apart: in the code and in the document, the same."""

import re
from pathlib import Path

import psycopg
import pytest

from batch_layer.database.postgres.failures import BY_CLASS, BY_STATE, failure_of
from batch_layer.shared.errors import DatabaseError, DatabaseUnavailable, TransientError

PAGE = Path(__file__).parents[3] / "docs" / "postgres.md"


def test_the_document_lists_each_state_with_what_batch_does():
    documented = dict(
        re.findall(r"^\| `(\w+)` \|.*\| (tries again|ends) \|$", PAGE.read_text(), re.MULTILINE)
    )
    assert documented == {
        state: "tries again" if issubclass(failure.error, TransientError) else "ends"
        for state, failure in (BY_STATE | BY_CLASS).items()
    }


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("connection refused", DatabaseUnavailable),
        ('password authentication failed for user "me"', DatabaseError),
        ("unsupported startup parameter: options", DatabaseError),
        ("channel binding is required, but server did not offer an authentication method", DatabaseError),
        ('invalid sslmode value: "x"', DatabaseError),
    ],
)
def test_a_connection_that_is_refused_for_good_is_told_from_one_that_may_come(said, error):
    assert failure_of(psycopg.OperationalError(said)).error is error
