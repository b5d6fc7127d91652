"""libpq's environment variables: set for psql, and kept out of what concerns the embedded server."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from psycopg.pq import Conninfo

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.postgres_url import PostgresUrl

_lock = threading.Lock()


OUR_SECRETS = (
    "CONDVEST_DATABASE_URL",
    "CONDVEST_FLATFILES_KEY_ID",
    "CONDVEST_FLATFILES_SECRET",
    "MASSIVE_API_KEY",
    "POLYGON_API_KEY",
)
"""The variables of Condvest that hold passwords and keys."""


def psql_environment(address: PostgresUrl, environ: Mapping[str, str], *, ours_alone: bool) -> dict[str, str]:
    """Return the environment in which psql connects to an address without being given it as an argument.

    It holds none of `OUR_SECRETS`, which are of no use to psql and what it starts.

    Args:
        address: of the database.
        environ: the environment to add to.
        ours_alone: whether the address is all there is to know, as for the embedded server; libpq's other
            variables are then left out.

    Raises:
        UsageError: the address has a parameter that no variable can carry.
    """
    variable_of = {
        option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar
    }
    # psql asks for the passphrase of a key itself.
    without = sorted(address.parameters.keys() - variable_of.keys() - {"sslpassword"})
    if without:
        raise UsageError(f"psql cannot be given {', '.join(without)} of CONDVEST_DATABASE_URL; leave it out")
    inherited = {
        name: value
        for name, value in environ.items()
        if name not in OUR_SECRETS and not (ours_alone and _is_libpqs(name))
    }
    given = {variable_of[name]: value for name, value in address.parameters.items() if name in variable_of}
    return inherited | given


@contextmanager
def none_of_libpqs() -> Iterator[None]:
    """Run a block without libpq's variables in the environment: they are of another database.

    libpq has no other way to leave out PGSERVICE, PGSYSCONFDIR and the like. One block runs at a time; the
    variables are put back at its end.
    """
    with _lock:
        removed = {name: os.environ.pop(name) for name in list(os.environ) if _is_libpqs(name)}
        try:
            yield
        finally:
            os.environ.update(removed)


def _is_libpqs(name: str) -> bool:
    return name.startswith("PG")
