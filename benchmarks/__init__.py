"""Benchmarks: every figure beside its floor or its rivals, measured in the same run."""
