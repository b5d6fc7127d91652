"""The whole chain of AWS on this machine, told step by step: make aws-local.

A night of a whole market: the vendor emulated, the built functions, an emulator of S3 and its events, a real
PostgreSQL, and the jobs in their image if a Docker daemon answers, else what the image holds as processes.
"""

import argparse
import datetime as dt
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.aws import artefacts, containers
from tests.support.aws.chain import Chain, Containers, Processes
from tests.support.aws.emulated import configured, emulated_aws, fresh_bucket
from tests.support.databases.servers import tcp_server
from tests.support.emulators.massive import MassiveEmulator
from tests.support.emulators.synthetic.market import Market

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
FIRST, LAST = dt.date(2024, 5, 20), dt.date(2024, 5, 31)
SHARDS = 4

_began = time.monotonic()


def tell(text):
    """Say something, with the seconds since the start."""
    print(f"{time.monotonic() - _began:6.1f} s  {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="make aws-local", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--instruments", type=int, default=12_900, help="of the market (default: %(default)s)"
    )
    parser.add_argument("--no-container", action="store_true", help="jobs as processes though Docker answers")
    options = parser.parse_args()
    for part in ("function", "layer"):
        path = artefacts.built(part)
        tell(f"built {path.name}: {path.stat().st_size / 1e6:.1f} MB")
    market = Market(seed=11, instruments=options.instruments, first_session=FIRST, last_session=LAST)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        endpoint = stack.enter_context(emulated_aws())
        stack.enter_context(configured(stack.enter_context(pytest.MonkeyPatch.context()), endpoint))
        fresh_bucket(endpoint)
        vendor = stack.enter_context(MassiveEmulator(market, now=NOW, delay=0.01))
        database = stack.enter_context(tcp_server(NOW)).empty_database()
        jobs = stack.enter_context(jobs_on(database, folder, in_containers=not options.no_container))
        chain = Chain(vendor.url, database, endpoint, folder, jobs=jobs, tell=tell)
        chain.migrate()
        chain.fetch({"start": FIRST.isoformat(), "end": LAST.isoformat(), "correlation_id": "aws-local"})
        chain.load()
        asked = chain.resample(SHARDS)
        tell(f"{asked} results of the loader asked for jobs; one array of {SHARDS} did the work of all")
        symbol = str(market.bars(LAST, NOW, otc=False, source="rest").symbol[0])
        tell(f"the first bars of {symbol}, of 3 sessions each:")
        chain.show(symbol, 3)


@contextmanager
def jobs_on(database_url, folder, *, in_containers):
    """Yield what runs jobs: the image, if a Docker daemon answers, else processes."""
    if in_containers and containers.answers():
        with containers.docker() as docker:
            image = docker.build(artefacts.built("image").parent)
            size = int(docker("inspect", "--format", "{{.Size}}", image))
            tell(f"built {image}: {size / 1e6:.0f} MB")
            yield Containers(docker, image, database_url)
        return
    app = artefacts.built("image")
    tell(f"no container: jobs are {app.name}, {app.stat().st_size / 1e6:.1f} MB, run by its interpreter")
    yield Processes(database_url, folder)


if __name__ == "__main__":
    sys.exit(main())
