"""Publish targets: a directory, or a prefix of an S3 bucket."""

from __future__ import annotations

from pathlib import Path

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.batch_layer.shared.utils.extras import from_extra


def target_at(where: Path | str) -> PublishTarget:
    """Return the target at a directory or at ``s3://bucket/prefix``.

    Raises:
        SettingsError: the URI has another form, or the directory's path is no text.
    """
    if isinstance(where, Path):
        try:
            str(where).encode()
        except UnicodeEncodeError as error:
            raise SettingsError(
                f"published data cannot be in {str(where)!a}: the path is not UTF-8, as Arrow needs it. "
                "Name another directory with --to or CONDVEST_PUBLISHED"
            ) from error
        return DirectoryTarget(where)
    # Imported here, so that a directory needs no boto3.
    with from_extra("aws", "publishing in S3"):
        from condvest.batch_layer.shared.clients.publish_targets.s3 import S3Target  # noqa: PLC0415

    return S3Target.of(where, aws.client("s3"))
