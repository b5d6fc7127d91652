"""Shards divide the instruments, whatever their number."""

import pytest

from condvest.batch_layer.processing.batch_jobs.shards import Shard
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.exit_codes import failure_code, stopped_code


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16, 32, 64])
def test_each_partition_is_in_one_shard(count):
    partitions = [part for index in range(count) for part in Shard.parse(f"{index}/{count}").partitions]
    assert sorted(partitions) == list(range(64))
    assert len(Shard.parse(f"0/{count}").partitions) == 64 // count


@pytest.mark.parametrize(
    "text", ["", "1", "1/", "/4", "a/4", "-1/4", "1/4/2", "1.0/4", "0/0", "0/3", "0/128", "4/4"]
)
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError):
        Shard.parse(text)


def test_the_array_of_aws_batch_tells_the_shard():
    environ = {"AWS_BATCH_JOB_ARRAY_INDEX": "3", "AWS_BATCH_JOB_ARRAY_SIZE": "8"}
    assert Shard.of_environment(environ) == Shard(3, 8)
    assert Shard.of_environment({}) is None
    with pytest.raises(UsageError, match="AWS_BATCH_JOB_ARRAY_SIZE is not"):
        Shard.of_environment({"AWS_BATCH_JOB_ARRAY_INDEX": "3"})


@pytest.mark.parametrize(
    ("environ", "passing", "permanent", "terminated", "interrupted"),
    [
        ({}, 1, 1, 1, 1),
        ({"AWS_BATCH_JOB_ID": "a"}, 75, 1, 143, 1),
        ({"CONDVEST_BATCH": "1"}, 75, 1, 143, 1),
    ],
)
def test_only_on_batch_do_the_codes_say_what_to_run_again(
    environ, passing, permanent, terminated, interrupted
):
    assert failure_code(environ, may_pass=True) == passing
    assert failure_code(environ, may_pass=False) == permanent
    assert stopped_code(environ, by_sigterm=True) == terminated
    assert stopped_code(environ, by_sigterm=False) == interrupted
