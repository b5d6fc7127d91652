"""From the bytes of one session on the wire to rows ready to load: 12,500 rows of a grouped answer.

Beside it the official client: its typed path, bytes to objects.
The seconds are of the processor. ``json.loads`` alone is the floor: what both have to do at least.
"""

import datetime as dt
import json
import time

from massive.rest.models import GroupedDailyAgg

from benchmarks.machine import peak_memory
from benchmarks.report import figures
from condvest.batch_layer.shared.clients.massive.grouped import read_grouped
from tests.support.emulators.massive.aggregates import grouped_body
from tests.support.emulators.synthetic.market import Market

OURS = "condvest"
SESSION = dt.date(2024, 3, 28)
INSTRUMENTS = 12_750
"""Some of them do not trade, some are not of the stock market: 12,500 rows are left."""


def run(options):
    """Yield a figure a contender."""
    market = Market(options.seed % 1000, INSTRUMENTS, dt.date(2024, 3, 25), SESSION)
    rows = market.bars(SESSION).take(slice(0, 12_500))
    body = grouped_body(rows, SESSION, "0" * 32, adjusted=False, extra=[])
    work = {OURS: lambda: read_grouped(body, SESSION), "json.loads alone": lambda: json.loads(body)}
    work["massive, typed"] = lambda: [GroupedDailyAgg.from_dict(task) for task in json.loads(body)["results"]]
    peaks = {}
    for name, task in work.items():
        answer, peaks[name] = peak_memory(task)
        agree(name, answer, rows)
        del answer
    yield from figures(cpu_in_turns(work, options.repeats), peaks, len(rows), OURS)


def agree(name, answer, rows):
    """Check that a contender read every close."""
    if name == OURS:
        closes = answer.rows.close.tolist()
    elif isinstance(answer, dict):
        closes = [bar["c"] for bar in answer["results"]]
    else:
        closes = [bar.close for bar in answer]
    if closes != rows.close.tolist():
        raise AssertionError(f"{name} read other closes")


def cpu_in_turns(contenders, repeats):
    """Measure the processor's seconds of each contender once a round."""
    seconds = {name: [] for name in contenders}
    for _ in range(max(repeats, 5)):
        for name, work in contenders.items():
            start = time.process_time()
            result = work()
            seconds[name].append(time.process_time() - start)
            del result
    return seconds
