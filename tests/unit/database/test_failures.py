"""Every SQLSTATE that is told apart: in the code and in the document, the same."""

import re
from pathlib import Path

import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting.failures import BY_CLASS, BY_STATE, failure_of
from condvest.batch_layer.shared.errors import DatabaseError, DatabaseUnavailable, TransientError

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
        ("FATAL:  no such database: market", DatabaseError),  # PgBouncer's words
        ("server does not support SSL, but SSL was required", DatabaseError),
        ('FATAL:  unrecognized configuration parameter "nonsense"', DatabaseError),
        ('FATAL:  database "market" is not currently accepting connections', DatabaseUnavailable),
        ("server is in hot standby mode", DatabaseUnavailable),  # it may be promoted
        ("could not translate host name to address: Temporary failure", DatabaseUnavailable),
        ("FATAL:  the database system is starting up", DatabaseUnavailable),
    ],
)
def test_a_connection_that_is_refused_for_good_is_told_from_one_that_may_come(said, error):
    assert failure_of(psycopg.OperationalError(said)).error is error


@pytest.mark.parametrize(
    "parameters",
    [
        {"sslmode": "x"},
        {"host": "127.0.0.1", "port": "70000"},
        {"host": "h", "port": "1,2"},
        {"hostaddr": "nonsense"},
        {"service": "of_nobody"},
        {"host": "/nowhere", "gssencmode": "require"},
        {"host": "localhost", "sslmode": "prefer", "sslrootcert": "system"},
        {"target_session_attrs": "x"},
    ],
    ids=lambda parameters: " ".join(f"{name}={value}" for name, value in parameters.items()),
)
def test_what_libpq_itself_refuses_is_refused_for_good(parameters):
    """Its own words, before any server is asked."""
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(**parameters)
    assert failure_of(refused.value).error is DatabaseError
