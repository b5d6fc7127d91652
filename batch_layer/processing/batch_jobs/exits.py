"""With which code a job on AWS Batch ends, so that Batch knows what to run again.

People get 1 for every failure; on Batch, what may pass by itself ends with 75 (EX_TEMPFAIL of sysexits.h),
and what SIGTERM stopped with 143 (128 + 15, as a shell says it): the job definition runs these again, and no
other.
"""

from __future__ import annotations

from collections.abc import Mapping

FAILED, TRY_AGAIN, TERMINATED = 1, 75, 143


def is_batch(environ: Mapping[str, str]) -> bool:
    """Return whether this is a job of AWS Batch, or is to end like one (``CONDVEST_BATCH``)."""
    return bool(environ.get("AWS_BATCH_JOB_ID") or environ.get("CONDVEST_BATCH"))


def failure_code(environ: Mapping[str, str], *, may_pass: bool) -> int:
    """Return the code of a failure."""
    return TRY_AGAIN if may_pass and is_batch(environ) else FAILED


def stopped_code(environ: Mapping[str, str], *, by_sigterm: bool) -> int:
    """Return the code of what was stopped before its end."""
    return TERMINATED if by_sigterm and is_batch(environ) else FAILED
