"""Open a provider by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS
from condvest.batch_layer.shared.models.instruments.providers import Provider
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.extras import from_extra

_NO_KEY = "none"


def open_provider(
    name: str,
    settings: Settings,
    symbols: Sequence[str],
    stack: ExitStack,
    *,
    from_files: bool = False,
) -> Provider:
    """Return a provider that can be asked; ``stack`` closes it.

    Args:
        name: one of PROVIDERS.
        settings: hold its address and its key.
        symbols: what to ask about; for providers that need symbols only.
        stack: closes the provider's connections at its end.
        from_files: whether to take the daily bars from the files that the provider publishes.

    Raises:
        UsageError: there is no such provider, it publishes no files, or the symbols are missing or useless.
        SettingsError: it needs a key, and the settings hold none.
    """
    kind = PROVIDERS.get(name)
    if kind is None:
        raise UsageError(f"unknown provider {name!r}; choose one of {', '.join(PROVIDERS)}")
    if from_files and (not kind.has_files or symbols):
        raise UsageError("--from-files is for --provider massive, whose files hold whole sessions")
    if kind.needs_symbols and not symbols:
        raise UsageError("Yahoo needs symbols: pass --symbols AAPL,MSFT or --symbols-file FILE")
    if symbols and not kind.needs_symbols:
        raise UsageError(f"{name} gives whole sessions; pass symbols only to a provider that needs them")
    return _flat_files(settings, stack) if from_files else _OPENERS[name](settings, symbols, stack)


def without_need_of_keys(settings: Settings) -> Settings:
    """Return settings by which a provider can be opened that is only asked what it covers and costs.

    Where no key is given they hold one that is none; nothing is sent with it.
    """
    massive, files = settings.massive, settings.flat_files
    if not (massive.api_key or massive.secret):
        massive = replace(massive, api_key=_NO_KEY)
    if not (files.key_id and files.secret):
        files = replace(files, key_id=_NO_KEY, secret=_NO_KEY)
    return replace(settings, massive=massive, flat_files=files)


# Each client is imported when it is opened: HTTP, S3 and curl take a while, and few commands need them.


def _massive(settings: Settings, _: Sequence[str], stack: ExitStack) -> Provider:
    from condvest.batch_layer.shared.clients.massive import MassiveProvider  # noqa: PLC0415

    return stack.enter_context(MassiveProvider.from_settings(aws.with_secrets(settings)))


def _flat_files(settings: Settings, stack: ExitStack) -> Provider:
    with from_extra("aws", "fetching flat files"):
        from condvest.batch_layer.shared.clients.massive.flat_files import FlatFilesProvider  # noqa: PLC0415

    return stack.enter_context(FlatFilesProvider.from_settings(aws.with_secrets(settings)))


def _sample(_: Settings, __: Sequence[str], ___: ExitStack) -> Provider:
    from condvest.batch_layer.shared.clients.sample import SampleProvider  # noqa: PLC0415

    return SampleProvider()


def _yahoo(settings: Settings, symbols: Sequence[str], _: ExitStack) -> Provider:
    from condvest.batch_layer.shared.clients.yahoo import YahooProvider  # noqa: PLC0415

    return YahooProvider.from_settings(settings, symbols)


_OPENERS: Mapping[str, Callable[[Settings, Sequence[str], ExitStack], Provider]] = MappingProxyType(
    {"massive": _massive, "sample": _sample, "yahoo": _yahoo}
)
