"""Massive (Polygon.io until October 2025): the whole US market, one call a session.

``transport`` sends one request, ``client`` asks until an answer is good, ``provider`` makes payloads, and
``parse`` reads them, fresh or from the archive. Everything but those first three is pure.
"""

from condvest.batch_layer.shared.clients.massive.client import Answered, MassiveClient
from condvest.batch_layer.shared.clients.massive.parse import parse
from condvest.batch_layer.shared.clients.massive.provider import RATES, MassiveProvider
from condvest.batch_layer.shared.clients.massive.wire.transport import MAX_BYTES, Answer, Transport
from condvest.batch_layer.shared.clients.massive.wire.urls import Urls

__all__ = [
    "MAX_BYTES",
    "RATES",
    "Answer",
    "Answered",
    "MassiveClient",
    "MassiveProvider",
    "Transport",
    "Urls",
    "parse",
]
