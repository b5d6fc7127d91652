"""``python -m tests.support.emulators.massive --port P``: Massive on 127.0.0.1 until stopped."""

from tests.support.emulators.command import knobs_of, market_of, parser, run
from tests.support.emulators.massive.server import KEY, MassiveEmulator

if __name__ == "__main__":
    arguments = parser("Massive (formerly Polygon.io)")
    arguments.add_argument("--key", default=KEY, help="the key that is known (default: %(default)s)")
    options = arguments.parse_args()
    run(MassiveEmulator(market_of(options), key=options.key, **knobs_of(options)))
