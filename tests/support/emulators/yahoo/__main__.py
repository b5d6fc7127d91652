"""``python -m tests.support.emulators.yahoo --port P``: Yahoo Finance on 127.0.0.1 until stopped."""

from tests.support.emulators.command import knobs_of, market_of, parser, run
from tests.support.emulators.yahoo.sample import sample_histories
from tests.support.emulators.yahoo.server import YahooEmulator

if __name__ == "__main__":
    arguments = parser("Yahoo Finance")
    arguments.add_argument(
        "--sample", action="store_true", help="serve the real prices of the sample besides"
    )
    options = arguments.parse_args()
    histories = sample_histories() if options.sample else []
    run(YahooEmulator(market_of(options), histories=histories, **knobs_of(options)))
