"""The stores that a user would pick instead, set up as by their experts: ArcticDB, DuckDB, Polars, plain SQL.

ArcticDB is no dependency, since it needs pandas before 3: `pip install arcticdb "pandas<3"` beside the tools.
Where it is not installed, a line on standard error says so and the others are measured.
"""
