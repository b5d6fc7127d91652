"""boto3's errors as ours: what may pass is told from what somebody has to mend."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.aws_errors import translated
from condvest.batch_layer.shared.errors import (
    ArchiveError,
    ArchiveUnavailable,
    SettingsError,
    VendorUnavailable,
)


def answered(code, status, message="AWS's words"):
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "GetObject")


def raised(error):
    with (
        pytest.raises((ArchiveError, ArchiveUnavailable)) as told,
        translated("cannot do it", unavailable=ArchiveUnavailable, refused=ArchiveError, setting="IT"),
    ):
        raise error
    return told.value


@pytest.mark.parametrize(
    "error",
    [
        answered("ThrottlingException", 400),
        answered("RequestThrottled", 403),
        answered("TooManyRequestsException", 429),
        answered("SlowDown", 503),
        answered("InternalFailure", 500),
        EndpointConnectionError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
    ids=lambda error: str(error)[:40],
)
def test_what_may_pass_is_unavailable(error):
    told = raised(error)
    assert isinstance(told, ArchiveUnavailable)
    assert str(told).startswith("cannot do it: ")
    assert str(told).endswith("; try again")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (answered("NoSuchBucket", 404), "there is no such bucket; check IT (NoSuchBucket)"),
        (answered("AccessDenied", 403), "access denied; check the role's policy (AccessDenied)"),
        (answered("PermanentRedirect", 301), "AWS's words (PermanentRedirect)"),
        (NoCredentialsError(), "no AWS credentials; try: aws configure"),
    ],
)
def test_what_will_not_pass_is_refused_with_what_to_do(error, words):
    told = raised(error)
    assert isinstance(told, ArchiveError)
    assert str(told) == f"cannot do it: {words}"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (answered("ThrottlingException", 400), VendorUnavailable, "try again"),
        (answered("ResourceNotFoundException", 400), SettingsError, "check the name of the secret"),
        (answered("AccessDeniedException", 400), SettingsError, "check the role's policy"),
        (NoCredentialsError(), SettingsError, "aws configure"),
    ],
)
def test_a_secret_that_is_not_told_now_is_told_from_one_that_may_not_be_read(monkeypatch, error, kind, words):
    """A throttled call is asked again; it was once taken for a wrong name."""

    class Secrets:
        def get_secret_value(self, **_):
            raise error

    monkeypatch.setattr(aws, "client", lambda _service: Secrets())
    with pytest.raises(kind, match=words) as told:
        aws._secret_text("condvest-dev/massive-api-key")
    assert "cannot read the secret condvest-dev/massive-api-key: " in str(told.value)
