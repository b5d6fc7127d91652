"""Where things are kept: a directory or S3, and nothing that only looks like it."""

from pathlib import Path

import pytest

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.variables import checked_location


@pytest.mark.parametrize("place", ["gs://bucket/x", "S3://bucket/x", "http://x/y", "file:///x"])
def test_another_scheme_is_refused_by_the_name_of_who_said_it(place):
    """It would be taken for a directory of that name."""
    with pytest.raises(
        SettingsError, match=rf"^--to must be s3://bucket/prefix or a directory, not '{place}'"
    ):
        checked_location("--to", place)
    with pytest.raises(SettingsError, match=r"^CONDVEST_PUBLISHED must be"):
        Settings.from_env({"CONDVEST_PUBLISHED": place})
    with pytest.raises(SettingsError, match=r"^published_at must be"):
        _ = Settings(home=Path("unused"), published_at=place).published


def test_a_directory_and_a_prefix_of_s3_are_taken():
    assert checked_location("--to", None) is None
    assert checked_location("--to", "some/where") == "some/where"
    assert Settings(home=Path("/h"), published_at="s3://b/p").published == "s3://b/p"
    assert Settings(home=Path("/h"), published_at="/d").published == Path("/d")
    assert Settings(home=Path("/h")).published == Path("/h/published")


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_PROFILE", "nobody"), ("AWS_ENDPOINT_URL", "not an address")]
)
def test_aws_that_is_not_configured_is_said(monkeypatch, tmp_path, name, value):
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_REGION", "ca-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ca-west-1")
    monkeypatch.setenv(name, value)
    aws.client.cache_clear()
    aws.credentials.cache_clear()
    with pytest.raises(SettingsError, match=r"AWS is not configured: .* look at AWS_PROFILE"):
        aws.client("s3")
    aws.client.cache_clear()
    aws.credentials.cache_clear()
