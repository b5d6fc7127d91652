"""The exit codes of every command and job, in one place.

A command or a setting that makes no sense ends with 2, every other failure with 1. On AWS Batch, a failure
that may pass by itself ends with 75 (EX_TEMPFAIL of sysexits.h), and a job stopped by SIGTERM with 143 (128 +
15, as in a shell): the job definition retries these two and no other.
"""

from __future__ import annotations

from collections.abc import Mapping

from condvest.batch_layer.shared.errors import CondvestError, SettingsError, TransientError, UsageError

DONE = 0
FAILED = 1
WRONG_USAGE = 2
"""A command, an option or a setting that makes no sense."""
NEEDS_ATTENTION = 3
"""Done, but a session is partial or rows were refused."""
TRY_AGAIN = 75
TERMINATED = 143


def is_batch(environ: Mapping[str, str]) -> bool:
    """Return whether this process is an AWS Batch job, or should act like one (``CONDVEST_BATCH``)."""
    return bool(environ.get("AWS_BATCH_JOB_ID") or environ.get("CONDVEST_BATCH"))


def failure_code(environ: Mapping[str, str], *, may_pass: bool) -> int:
    """Return the exit code of a failure; ``may_pass`` says whether a retry may succeed."""
    return TRY_AGAIN if may_pass and is_batch(environ) else FAILED


def error_code(environ: Mapping[str, str], error: CondvestError) -> int:
    """Return the exit code of a command that ends with an error."""
    if isinstance(error, UsageError | SettingsError):
        return WRONG_USAGE
    return failure_code(environ, may_pass=isinstance(error, TransientError))


def stopped_code(environ: Mapping[str, str], *, by_sigterm: bool) -> int:
    """Return the exit code of a command that was stopped."""
    return TERMINATED if by_sigterm and is_batch(environ) else FAILED


def check_code(*, passed: bool) -> int:
    """Return the exit code of a command that checks something, such as ``verify`` and ``doctor``."""
    return DONE if passed else FAILED
