"""The command line that both emulators share."""

from __future__ import annotations

import argparse
import datetime as dt
import signal
import threading

from tests.support.emulators.emulator import Emulator
from tests.support.emulators.faults import Fault
from tests.support.emulators.plans import PLANS
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import NEW_YORK, Schedule, new_york_date


def parser(what: str) -> argparse.ArgumentParser:
    """Return the parser of the shared options."""
    parser = argparse.ArgumentParser(
        description=f"{what} over a synthetic market, on 127.0.0.1; the control endpoint is /_emulator/."
    )
    date = dt.date.fromisoformat
    parser.add_argument("--port", type=int, default=0, help="0, the default, picks a free one")
    parser.add_argument("--seed", type=int, default=1, help="of the market and of the faults")
    parser.add_argument("--instruments", type=int, default=200, help="about so many live at any time")
    parser.add_argument("--first-session", type=date, help="default: a year before the last")
    parser.add_argument("--last-session", type=date, help="default: the last one closed by now")
    parser.add_argument("--now", type=_instant, help="the vendor's clock, ISO; default: the real one")
    parser.add_argument("--plan", choices=sorted(PLANS), default="paid")
    parser.add_argument("--faults", type=float, default=0.0, metavar="P", help="share of calls that fail")
    parser.add_argument("--fault", action="append", default=[], choices=list(Fault.__members__))
    parser.add_argument("--delay", type=float, default=1.0, help="seconds that a slow answer takes")
    return parser


def market_of(options: argparse.Namespace) -> Market:
    """Return the market that the options describe."""
    last = options.last_session
    if last is None:
        now = options.now or dt.datetime.now(dt.UTC)
        today = new_york_date(now)
        recent = Schedule(today - dt.timedelta(days=14), today)
        last = recent.dates[recent.closed_by(now) - 1].astype(dt.date)
    first = options.first_session or last - dt.timedelta(days=365)
    return Market(options.seed, options.instruments, first, last)


def knobs_of(options: argparse.Namespace) -> dict:
    """Return the emulator's arguments that the options describe."""
    return {
        "port": options.port,
        "fault_seed": options.seed,
        "delay": options.delay,
        "now": options.now,
        "plan": options.plan,
        "faults": options.faults,
        "fault_names": tuple(options.fault),
    }


def run(emulator: Emulator) -> None:
    """Serve until SIGTERM or Ctrl-C. The first line on standard output says where."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with emulator:
        print(f"listening on {emulator.url}", flush=True)
        stopped.wait()


def _instant(text: str) -> dt.datetime:
    """Read an ISO instant; without a zone it is New York's."""
    instant = dt.datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=NEW_YORK)
