"""The vendors that a function can ask, within the time that its call has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from condvest.batch_layer.fetching.lambda_functions.observing import Call
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.massive import (
    RATES,
    Answer,
    MassiveClient,
    MassiveProvider,
    Transport,
)
from condvest.batch_layer.shared.clients.rate_limit import RateLimit
from condvest.batch_layer.shared.errors import SettingsError, UsageError, VendorRefused
from condvest.batch_layer.shared.models.instruments.providers import Provider
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.retry import Retry


@contextmanager
def provider(settings: Settings, call: Call, symbols: Sequence[str] = ()) -> Iterator[Provider]:
    """Open the provider of the settings; its calls are counted, and it waits no longer than there is time.

    Args:
        settings: name the provider.
        call: the present call.
        symbols: for Yahoo, whom to ask about.

    Raises:
        SettingsError: the provider's key is not to be had.
        UsageError: the provider is not one that a function can ask.
    """
    if settings.nightly.provider == "massive":
        with _massive(settings, call) as made:
            yield made
    elif settings.nightly.provider == "yahoo":
        yield _yahoo(settings, symbols)
    else:
        raise UsageError(
            f"the functions ask massive or yahoo, not {settings.nightly.provider!r}: set CONDVEST_PROVIDER"
        )


class _Counted(Transport):
    """Counts what goes over the wire, repeated calls included."""

    def __init__(self, call: Call, *arguments: Any) -> None:  # noqa: ANN401  # those of Transport
        super().__init__(*arguments)
        self._call = call

    def get(self, url: str) -> Answer:
        self._call.measure(VendorCalls=1)
        return super().get(url)


@contextmanager
def _massive(settings: Settings, call: Call) -> Iterator[Provider]:
    settings = aws.with_secrets(settings)
    if not settings.massive.api_key:
        raise SettingsError("Massive needs an API key: CONDVEST_MASSIVE_SECRET must name the secret with it")
    deadline = call.deadline
    # One copy of a function runs at a time, so the limit of its own machine is the limit of the key.
    limit = RateLimit(
        settings.home / "limits" / "massive", RATES[settings.massive.plan], sleep=deadline.sleep
    )
    transport = _Counted(call, settings.massive.base_url, settings.massive.api_key)
    client = MassiveClient(transport, limit, retry=Retry(budget=deadline.budget, sleep=deadline.sleep))
    try:
        with MassiveProvider(client, settings.massive.plan) as made:
            yield made
    except VendorRefused:
        aws.forget_secrets()  # the key may have been exchanged: the next call asks for it anew
        raise


def _yahoo(settings: Settings, symbols: Sequence[str]) -> Provider:
    if not symbols:
        raise UsageError('Yahoo is asked by symbol: add "symbols": ["AAPL", "MSFT"] to the event')
    from condvest.batch_layer.shared.clients.yahoo import YahooProvider  # noqa: PLC0415  # pandas and curl take a while

    return YahooProvider.from_settings(settings, symbols)
