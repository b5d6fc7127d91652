"""SQL over the published version: DuckDB in a process of its own, which can reach nothing else."""
