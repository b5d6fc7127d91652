"""How far each provider had been loaded, as a published data set tells it."""

from __future__ import annotations

from collections.abc import Mapping

from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sources.published_past import PublishedPast

_LARGEST = 64 << 10
_kept: Kept[dict[str, str]] = Kept(_LARGEST)
"""What was loaded by now, by version: every answer about bars says it."""


def loaded_through(source: PublishedSource, known_by: int = EVERY_LOAD) -> Mapping[str, str]:
    """Return the last session (ISO date) that had been loaded by provider, in full or in part.

    Nothing is told of a version that an earlier Condvest published, without the names of providers.

    Args:
        source: the published version.
        known_by: the last load that counts.
    """
    if not {"ledger", "loads"} <= source.manifest.files.keys():
        return {}
    if known_by != EVERY_LOAD:
        return _read(source, known_by)
    key = (source.name, source.version)
    return _kept.get(key, lambda: _read(source, known_by), lambda made: len(made) << 7)


def _read(source: PublishedSource, known_by: int) -> dict[str, str]:
    ledger = PublishedPast(source, known_by).loaded("ledger")
    last: dict[int, tuple[int, int]] = {}
    names = ("provider_id", "ordinal", "first_load_id")
    for provider, ordinal, load in zip(*(ledger[name].to_pylist() for name in names), strict=True):
        last[provider] = max(last.get(provider, (ordinal, load)), (ordinal, load))
    loads = source.small("loads")  # which name the provider that the ledger has a number of
    provider_of = dict(zip(loads["load_id"].to_pylist(), loads["provider"].to_pylist(), strict=True))
    through = {
        provider_of[load]: source.sessions.session(ordinal).isoformat() for ordinal, load in last.values()
    }
    return dict(sorted(through.items()))
