"""Answers of the emulated Yahoo, and the sample read without the code under test."""

import csv
import datetime as dt
import gzip
from collections import defaultdict
from importlib import resources

from condvest.batch_layer.shared.clients.yahoo import parse
from condvest.batch_layer.shared.models.given.payloads import Fetched
from condvest.batch_layer.shared.models.instruments.providers import Failed


class Sleeper:
    """Waits for nothing and remembers for how long; its clock has gone on by the waits."""

    def __init__(self):
        self.waits = []

    def __call__(self, seconds):
        if seconds:
            self.waits.append(seconds)

    def clock(self):
        return sum(self.waits)


def sample_rows():
    """The sample's rows as traded, by company, read without the code under test."""
    packed = resources.files("bokeh_sampledata").joinpath("_data/stocks.csv.gz").read_bytes()
    companies = defaultdict(list)
    for row in csv.DictReader(gzip.decompress(packed).decode().splitlines()):
        companies[row["Ticker"]].append(row)
    return companies


def sample_dividends():
    """The dividends that the sample's adjusted closes hold, as then paid, by company."""
    path = resources.files("condvest.batch_layer.shared.clients.sample").joinpath("dividends.csv")
    paid = defaultdict(list)
    for row in csv.DictReader(path.read_text().splitlines()):
        paid[row["symbol"]].append((dt.date.fromisoformat(row["ex_date"]), float(row["cash_amount"])))
    return paid


def payloads(answers):
    """The payloads of answers, none of which failed."""
    return [answer.payload for answer in answers]


def failures(answers):
    """The errors of the answers that failed, by symbol."""
    return {answer.name: answer.error for answer in answers if isinstance(answer, Failed)}


def by_symbol(answers, table=0):
    """The rows of the answers that came, by symbol: bars (table 0), splits (1) or dividends (2)."""
    parsed = [parse(answer.payload) for answer in answers if isinstance(answer, Fetched)]
    tables = [(answer, *answer.also)[table].rows for answer in parsed]
    return {rows.symbol[0]: rows for rows in tables if len(rows)}
