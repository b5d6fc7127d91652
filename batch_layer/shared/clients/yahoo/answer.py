"""What comes of one request to Yahoo."""

from __future__ import annotations

from dataclasses import dataclass

from batch_layer.shared.errors import VendorUnavailable


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came: its status and its body, unaltered but for its transfer's compression."""

    status: int
    content: bytes


class RateLimited(VendorUnavailable):
    """Yahoo answers 429.

    Attributes:
        retry_after: the seconds that it asks to wait, 0 if it does not say.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("Yahoo limits the rate of requests (429)")
        self.retry_after = retry_after
