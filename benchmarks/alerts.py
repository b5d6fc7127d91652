"""A tick of alert rules over 12,500 instruments, beside a loop over symbols, and the limit of 50 ms.

The whole tick goes from the live rows to what fires: it folds the running bars of all seven intervals, in the
session in which that takes longest, evaluates 100 rules, and compares with what was true before. The loop
only evaluates, on numbers that are ready, ten rules on a hundredth of the instruments; its time is given
times a thousand. Both agree on what is true before.
"""

from itertools import cycle, islice, product

import numpy as np

from benchmarks.report import figures, in_turns
from condvest.batch_layer.shared.models.bars import Bars, DailyBars
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.speed_layer.core.alerts.evaluating import Evaluation
from condvest.speed_layer.core.alerts.firing import fire
from condvest.speed_layer.core.alerts.references import References
from condvest.speed_layer.core.alerts.rules import Rule, Seen, needs_of

OURS = "100 rules evaluated"
TICK = "the whole tick, with the folds"
LOOP = "a loop over symbols"
LIMIT = "the limit"
LIMIT_SECONDS = 0.05
RULES, INSTRUMENTS = 100, 12_500
OF_LOOP = (10, INSTRUMENTS // 100)
"""Rules and instruments of the loop."""

ORDINAL = 13 * 21 * 34 * 8 + 33
"""A session that is the last of its window of 34: the longest fold there is."""

TEMPLATES = (
    "close({n}) > highest(high({n}), {k})",
    "close({n}) < lowest(low({n}), {k}) or change({n}) < -5%",
    "volume({n}) > 2 * average(volume({n}), {k}) and close({n}) > close({n})[1]",
    "crosses_above(close({n}), average(close({n}), {k}))",
    "not high({n}) - low({n}) < average(close({n}), {k}) * 2% and close(1) > open(1)",
)


def run(options):
    """Yield a figure a contender; rows are rules times instruments."""
    choices = list(product((1, 3, 5, 8, 13, 21, 34), (2, 4, 8)))
    rules = [
        Rule(number, f"rule {number}", template.format(n=n, k=k))
        for number, (template, (n, k)) in enumerate(islice(zip(cycle(TEMPLATES), cycle(choices)), RULES))
    ]
    references, live = market(options.seed, needs_of(rules))
    breakouts = [rule for rule in rules if rule.text.startswith("close") and "change" not in rule.text]
    loop, agree = looped((breakouts * 10)[: OF_LOOP[0]], references, live)
    agree()
    evaluate, tick = ours(rules, references, live)
    seconds = in_turns({OURS: evaluate, TICK: tick, LOOP: loop}, options.repeats)
    scale = RULES * INSTRUMENTS / (OF_LOOP[0] * OF_LOOP[1])
    seconds[LOOP] = [each * scale for each in seconds[LOOP]]
    seconds[LIMIT] = [LIMIT_SECONDS] * options.repeats
    yield from figures(seconds, {}, RULES * INSTRUMENTS, OURS)


def ours(rules, references, live):
    """Return the evaluation alone, and a whole tick; what was true a tick ago is at hand."""
    nothing = {rule.rule_id: Seen(rule.window(ORDINAL), np.zeros(INSTRUMENTS, np.bool_)) for rule in rules}
    folded = references.market(ORDINAL, live.instrument_id, live.daily())
    _, seen = fire(rules, folded, {}, nothing)

    def evaluate():
        return fire(rules, folded, {}, seen)

    def tick():
        counting = references.counting(live)
        return fire(rules, references.market(ORDINAL, counting.instrument_id, counting.daily()), {}, seen)

    return evaluate, tick


def looped(rules, references, live):
    """Return the loop over symbols, and what checks that it agrees with ours."""
    market_ = references.market(ORDINAL, live.instrument_id, live.daily())
    ready = []
    for rule in rules:
        n, k = rule.interval, rule.node.right.bars
        highs = market_.past[n].of("high")[:k].T[: OF_LOOP[1]].tolist()
        ready.append((market_.field("close", n, 0)[: OF_LOOP[1]].tolist(), highs))

    def loop():
        answers = []
        for closes, highs in ready:
            answers.append([])
            for close, before in zip(closes, highs, strict=True):
                level = max(before)
                answers[-1].append((close > level, (close - level) / level))
        return answers

    def agree():
        evaluation = Evaluation(market_)
        for rule, answers in zip(rules, loop(), strict=True):
            truth = evaluation.truth(rule.node)
            assert [is_true for is_true, _ in answers] == truth.is_true[: OF_LOOP[1]].tolist()
            assert [margin for _, margin in answers] == truth.margin[: OF_LOOP[1]].tolist()

    return loop, agree


def market(seed, needs):
    """Return what the rules read: random bars, and a live row of every instrument."""
    rng = np.random.default_rng(seed)
    ids = np.arange(INSTRUMENTS, dtype=np.int32)

    def prices(rows):
        low = rng.uniform(5, 200, rows)
        return {
            "open": low * 1.01,
            "high": low * rng.uniform(1.02, 1.06, rows),
            "low": low,
            "close": low * 1.015,
            "volume": rng.integers(1, 10_000_000, rows).astype(np.float64),
            "vwap": low * 1.01,
        }

    def rows_of(sessions):
        return np.repeat(ids, len(sessions)), np.tile(sessions, INSTRUMENTS).astype(np.int32)

    instrument, ordinal = rows_of(np.arange(ORDINAL - 33, ORDINAL))
    daily = DailyBars(instrument, ordinal, **prices(len(ordinal)), trades=np.ones(len(ordinal), np.int64))
    bars = {}
    for n, most in needs.items():
        instrument, window = rows_of(np.arange(ORDINAL // n - most - 1, ORDINAL // n))
        ones = np.ones(len(window), np.int64)
        bars[n] = Bars(
            instrument,
            window,
            **prices(len(window)),
            trades=ones,
            sessions=ones.astype(np.int16) * n,
            is_complete=ones.astype(np.bool_),
        )
    loaded = np.full(64, NOTHING_LOADED, dtype=np.int32)
    loaded[0] = ORDINAL - 1
    coverage = Coverage(ids, np.ones(INSTRUMENTS, np.int64), ORDINAL - 33, np.ones(33, np.int64), loaded)
    none = np.zeros(0, np.int32)
    splits = Splits(none, none, none.astype(np.float64), none.astype(np.float64))
    symbols = {each: f"S{each}" for each in ids.tolist()}
    live = LiveBars(
        ids,
        np.full(INSTRUMENTS, ORDINAL, np.int32),
        **prices(INSTRUMENTS),
        data_through=np.zeros(INSTRUMENTS, np.int64),
    )
    return References(ids, symbols, daily, bars, splits, coverage, needs), live
