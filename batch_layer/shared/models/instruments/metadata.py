"""The fields of metadata: what may be known about an instrument, and how each is read and stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

FieldKind = Literal["text", "number", "date"]

METADATA: Mapping[str, FieldKind] = {
    "name": "text",
    "type": "text",
    "exchange": "text",
    "currency": "text",
    "cik": "text",
    "figi": "text",
    "share_class_figi": "text",
    "list_date": "date",
    "delisted_date": "date",
    "sic_code": "text",
    "sic_description": "text",
    "market_cap": "number",
    "shares_outstanding": "number",
    "weighted_shares_outstanding": "number",
}
"""Every field that a listing may give, by its name. In columns a text is str ("" where unknown), a number
float64 (NaN where unknown), a date datetime64[D] (NaT where unknown); in the table ``metadata`` each is text,
and an unknown one has no row. ``figi`` is the composite FIGI, by which an instrument is recognised."""
