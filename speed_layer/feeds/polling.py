"""Asking a vendor for snapshots."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from condvest.batch_layer.shared.clients.massive.client import MassiveClient
from condvest.speed_layer.core.snapshot import Snapshot
from condvest.speed_layer.feeds.massive.massive_snapshot import read_snapshot


@dataclass(frozen=True, eq=False)
class Answered:
    """A snapshot, and its bytes as they came."""

    content: bytes
    snapshot: Snapshot


class Feed(Protocol):
    """Where snapshots come from."""

    @property
    def provider(self) -> str:
        """The provider, as in the ledger."""
        ...

    @property
    def name(self) -> str:
        """How it is asked, as in ``live_runs.feed``."""
        ...

    def ask(self, session: dt.date) -> Answered:
        """Return the snapshot of this moment.

        Raises:
            VendorUnavailable: it cannot be had now.
            VendorRefused: the key or the plan does not allow it.
        """
        ...


@dataclass(frozen=True)
class MassivePolling:
    """A `Feed` of Massive's snapshots."""

    client: MassiveClient
    provider: str = "massive"
    name: str = "poll"

    def ask(self, session: dt.date) -> Answered:
        """Return the snapshot of this moment; see `Feed`."""
        answered = self.client.snapshot(lambda body: read_snapshot(body, session))
        return Answered(answered.content, answered.value)
