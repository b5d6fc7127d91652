"""Polars: the table as it is."""

import polars as pl

import condvest

bars = pl.from_arrow(condvest.bars(interval=13))

print(bars.group_by("symbol").agg(pl.col("close").last()).sort("symbol").rows())
