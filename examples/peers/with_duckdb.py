"""DuckDB: the variable's name is the table's."""

import duckdb

import condvest

bars = condvest.bars(interval=13)

print(
    duckdb.sql("SELECT symbol, arg_max(close, last_session) FROM bars GROUP BY symbol ORDER BY 1").fetchall()
)
