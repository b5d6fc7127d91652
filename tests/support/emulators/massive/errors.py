"""Massive's refusals, with the bodies that its users report."""

from __future__ import annotations

import uuid

from tests.support.emulators.faults import Reply, json_reply


def request_id() -> str:
    """Return an id as the vendor's: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def bad_request(message: str) -> Reply:
    """Return 400."""
    return json_reply({"status": "ERROR", "request_id": request_id(), "error": message}, 400)


def unknown_key() -> Reply:
    """Return 401 for a key that the vendor does not know."""
    return json_reply({"status": "ERROR", "request_id": request_id(), "error": "Unknown API Key"}, 401)


def no_key() -> Reply:
    """Return 401 for a call without a key."""
    return json_reply(
        {"status": "ERROR", "request_id": request_id(), "error": "API Key was not provided"}, 401
    )


def not_authorized(message: str) -> Reply:
    """Return 403 for what the plan does not hold."""
    return json_reply({"status": "NOT_AUTHORIZED", "request_id": request_id(), "message": message}, 403)


def out_of_plan_years() -> Reply:
    """Return 403 for sessions before the plan's years."""
    return not_authorized("Your plan doesn't include this data timeframe.")


def before_end_of_day() -> Reply:
    """Return 403 for today's bars on a plan that gets them tomorrow."""
    return not_authorized(
        "Attempted to request today's data before end of day. Please upgrade your plan at "
        "https://massive.com/pricing"
    )


def not_found(message: str = "Ticker not found.") -> Reply:
    """Return 404."""
    return json_reply({"status": "NOT_FOUND", "request_id": request_id(), "message": message}, 404)


def too_many(wait: float | None) -> Reply:
    """Return 429; ``wait`` seconds go into Retry-After, rounded up, unless None."""
    body = {
        "status": "ERROR",
        "request_id": request_id(),
        "error": "You've exceeded the maximum requests per minute, please wait or upgrade your "
        "subscription to continue.",
    }
    headers = {} if wait is None else {"Retry_After": str(max(1, int(-(-wait // 1))))}
    return json_reply(body, 429, **headers)
