"""Service: the nightly fetch. Ask a provider for the sessions that the ledger lacks, and load them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from batch_layer.database import instruments_store, load_store
from batch_layer.fetching.ledger import missing_sessions
from batch_layer.fetching.load import Loader
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import Provider


@dataclass(frozen=True)
class Ingest:
    """Fetches from one provider.

    Attributes:
        provider: whom to ask.
        loader: where the answers go.
    """

    provider: Provider
    loader: Loader

    def missing(self) -> Int32s:
        """Return the ordinals (ascending) of the closed sessions that the provider can be asked for.

        Those that the ledger holds as complete are left out; partial ones are not.
        """
        sessions = self.loader.sessions
        last_closed = sessions.last_closed(self.loader.now)
        first, last = self.provider.coverage(sessions.session(last_closed))
        with self.loader.database.transaction() as connection:
            provider_id = instruments_store.provider_id_of(connection, self.provider.name)
            held = load_store.read_ledger(connection, provider_id)
        return missing_sessions(held, sessions.ordinal(first), sessions.ordinal(last))

    def run(self, on_load: Callable[[LoadSummary], None] | None = None) -> list[LoadSummary]:
        """Fetch and load what is missing, and the corporate actions; return what each load did.

        Bars go in before the actions that adjust them, but any order ends in the same state.

        Raises:
            BatchLayerError: of the provider, the archive or the database; what was loaded before stays.
        """
        asked = self.loader.sessions.dates_of(self.missing()).tolist()
        summaries = []
        for payload in chain(self.provider.fetch(asked), self.provider.corporate_actions()):
            summary = self.loader.load(payload, self.provider.parse)
            summaries.append(summary)
            if on_load is not None:
                on_load(summary)
        return summaries
