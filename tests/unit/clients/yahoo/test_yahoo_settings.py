"""The setting that names another Yahoo."""

import pytest

from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.settings import Settings


def base_url(value):
    return Settings.from_env({"CONDVEST_YAHOO_BASE_URL": value}).yahoo.base_url


@pytest.mark.parametrize(
    ("value", "meant"),
    [("", None), ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"), ("https://h", "https://h")],
)
def test_unset_means_yahoo_itself(value, meant):
    assert base_url(value) == meant
    assert Settings.from_env({}).yahoo.base_url is None


@pytest.mark.parametrize(
    "value", ["127.0.0.1:8080", "ftp://h", "http://", "https://user:secret@h", "http://[x"]
)
def test_what_is_no_address_is_refused_and_not_shown(value):
    with pytest.raises(SettingsError, match="CONDVEST_YAHOO_BASE_URL") as refused:
        base_url(value)
    assert "secret" not in str(refused.value)
