"""What comes of one request to Yahoo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came: its status and its body, unaltered but for its transfer's compression."""

    status: int
    content: bytes
