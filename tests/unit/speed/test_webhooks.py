"""Signatures, addresses, and when a webhook is tried again."""

import ipaddress

import pytest

from condvest.batch_layer.shared.errors import SettingsError, UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.speed_layer.webhooks.addresses import checked_url, is_allowed, shown_url
from condvest.speed_layer.webhooks.schedule import SCHEDULE, wait_after
from condvest.speed_layer.webhooks.signing import checked_secret, new_secret, signature


def test_a_signature_is_that_of_the_specification():
    """The example that the libraries of standardwebhooks.com are tested with."""
    assert (
        signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
        )
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_new_secret_is_one_that_is_taken_and_no_message_repeats_a_bad_one():
    assert checked_secret(new_secret()) != new_secret()
    for text in ("whsec_short", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%%", "whsec_" + "A" * 100):
        with pytest.raises(UsageError) as refused:
            checked_secret(text)
        assert text not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  # nothing is bound to it
        "255.255.255.255",
        "224.0.0.1",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ],
)
def test_an_address_that_is_not_public_is_refused(address):
    assert not is_allowed(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_is_allowed(address):
    assert is_allowed(ipaddress.ip_address(address), ())


def test_a_network_that_is_named_is_allowed_and_no_other():
    networks = Settings.from_env(
        {"CONDVEST_HOME": "/x", "CONDVEST_WEBHOOK_NETWORKS": "127.0.0.0/8, fd00::/8"}
    ).webhook_networks
    for address, allowed in (
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("fd00::1", True),
        ("10.0.0.1", False),
    ):
        assert is_allowed(ipaddress.ip_address(address), networks) is allowed
    with pytest.raises(SettingsError, match=r"must be networks like 10\.1\.0\.0/16"):
        Settings.from_env({"CONDVEST_WEBHOOK_NETWORKS": "127.0.0.1/8"})


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/",
        "https://",
        "https://me:secret@example.com/",
        "https://example.com/#part",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "http://127.0.0.1:9/",
        "file:///etc/passwd",
        "https://example.com/" + "x" * 2000,
        "no url",
        "https://localhost/",
        "https://hook.LOCALHOST./",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://exa mple.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
    ],
)
def test_a_url_that_no_webhook_has_is_refused(url):
    with pytest.raises(UsageError):
        checked_url(url, ())


def test_a_url_of_another_tongue_or_of_this_machine_where_it_is_named_is_taken():
    loopback = (ipaddress.ip_network("127.0.0.0/8"),)
    for url in (
        "https://пример.рф/x",
        "https://a_b.example.com:8443/",
        "https://example.com./",
        "https://1a.example/",
    ):
        assert checked_url(url, ()) == url
    assert checked_url("https://localhost/", loopback) == "https://localhost/"


def test_of_a_url_only_the_host_is_shown():
    assert checked_url("https://example.com/hook?token=abc", ()) == "https://example.com/hook?token=abc"
    assert shown_url("https://example.com:8443/hook?token=abc") == "https://example.com:8443/***"
    assert shown_url("https://example.com/") == "https://example.com/"


def test_waits_grow_and_end_and_heed_what_the_receiver_asks():
    assert [wait_after(attempt, None, 0.0) for attempt in (1, 2, 10, 11)] == [5, 30, 21600, None]
    assert wait_after(1, 60.0, 0.0) == 60
    assert wait_after(1, 1e9, 0.0) == 21600
    assert wait_after(1, None, 1.0) == 5.5
    assert 19 * 3600 < sum(SCHEDULE) < 24 * 3600
