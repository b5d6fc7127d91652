"""The function that answers the HTTP API on AWS from the published data set; `handler` is its entry.

::

    caller --IAM or JWT--> HTTP API --event--> handler --> S3, the published data set
                                                  └--307, a signed address--> S3, a published file

Who may ask is decided by the HTTP API before the function is called, so there are no keys here. The function
is outside the network and knows no database.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from mangum import Mangum

from condvest.batch_layer.shared import variables
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from condvest.serving_layer.http.guarding.bounded import Sending
from condvest.serving_layer.http.guarding.guards import Rules

if TYPE_CHECKING:
    from mangum.types import ASGI

HOSTS = "CONDVEST_SERVE_HOSTS"
"""The setting that names the hosts that requests may be for, separated by commas; without ``https://``."""

LARGEST = 4_000_000
"""Bytes of an answer as it is sent: Lambda passes on 6 MB, and what is no text travels as base64, four bytes
for three (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). A text may need an escape
for each quotation mark in it besides, so it has the same bound."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401  # Lambda's own
    """Answer a request.

    Args:
        event: as an HTTP API sends it, payload format 2.0
            (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
        context: Lambda's, of which nothing is used.

    Returns:
        The answer in the same format. Errors are answers too: see
        `condvest.serving_layer.http.answers.problems`.

    Raises:
        SettingsError: at the first request, if the function is not configured.
    """
    return _adapter()(event, context)


@cache
def _adapter() -> Mangum:
    """Return what answers, made once for all requests that this copy of the function gets."""
    settings = Settings.from_env(os.environ)
    rules, sending = Rules(hosts=_hosts(os.environ)), Sending(LARGEST, signs_files=True)
    app = create_app(PublishedBackend(settings), rules, sending=sending)
    # A function is frozen or killed, and never told of its end.
    return Mangum(cast("ASGI", app), lifespan="off")


def _hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    named = variables.text(environ, HOSTS) or ""
    return tuple(host.strip() for host in named.split(",") if host.strip())
