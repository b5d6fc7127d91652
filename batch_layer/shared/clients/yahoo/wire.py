"""yfinance's data layer: cookies, crumbs and consent. Import this module late, for yfinance takes a second.

``Ticker.history`` gives a frame in which a failed symbol, a delisted one and a holiday look alike, never the
answer itself. So only ``yfinance.data.YfData`` is used, with a session of its own kind, curl_cffi's, whose
handshake looks like a browser's: Yahoo turns others away. Nothing of yfinance is patched.

The cookies live in ``cache_dir``. yfinance has one such layer a process, and keeps to the directory that was
in force when it first looked for a cookie.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yfinance
from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import RequestException
from yfinance.data import YfData
from yfinance.exceptions import YFRateLimitError

from condvest.batch_layer.shared.clients.yahoo.answer import Answer
from condvest.batch_layer.shared.errors import RateLimited, VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.utils.ownership import make_folder

TIMEOUT = 30.0
"""Seconds without a whole answer, however it drips, after which a request has failed."""

MAX_BYTES = 8 << 20
"""No answer comes near 8 MiB (a chart of 60 years is some 2 MB); a longer one, unpacked, is not read on."""

QUOTES_URL = "https://query1.finance.yahoo.com/v7/finance/quote"
CHART_URL = "https://query2.finance.yahoo.com/v8/finance/chart/"


class _Session(Session[Response]):
    """A browser's session whose requests to Yahoo go to another address, if there is one."""

    def __init__(self, base_url: str | None) -> None:
        super().__init__(impersonate="chrome")
        self._elsewhere = base_url.rstrip("/") if base_url else None
        self.last: Response | None = None

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401  # as the base
        """Send a request, its address rewritten; see the base."""
        self.last = None
        body = _Body()
        try:
            kwargs["content_callback"] = body.add
            self.last = super().request(method, self.address(url), *args, **kwargs)
        except RequestException as error:
            if body.refusal is not None:
                raise body.refusal from error
            raise
        self.last.content = bytes(body.content)
        return self.last

    def address(self, url: str) -> str:
        """Return where a URL of Yahoo is asked."""
        host = urlsplit(url).hostname or ""
        if self._elsewhere is None or not (host == "yahoo.com" or host.endswith(".yahoo.com")):
            return url
        return self._elsewhere + url.split(host, 1)[1]


class _Body:
    """The body of an answer while it comes, unpacked: refused as soon as it is too long."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.refusal: VendorRefused | None = None

    def add(self, piece: bytes) -> int:
        """Take a piece; return what curl is to be told, its length or to stop."""
        if len(self.content) + len(piece) > MAX_BYTES:
            self.refusal = VendorRefused(
                f"Yahoo's answer has more than {MAX_BYTES:,} bytes, the most that are taken; "
                "is the base URL Yahoo's?"
            )
            return int(CURL_WRITEFUNC_ERROR)
        self.content += piece
        return len(piece)


class Wire:
    """The way to Yahoo.

    Args:
        base_url: asked instead of Yahoo's hosts; None for Yahoo itself.
        cache_dir: where yfinance keeps its cookies; made if missing.
    """

    def __init__(self, base_url: str | None, cache_dir: Path) -> None:
        make_folder(cache_dir)
        yfinance.set_tz_cache_location(str(cache_dir))  # of the cookies too
        self._session = _Session(base_url)

    def chart(self, symbol: str, params: Mapping[str, str | int]) -> Answer:
        """Ask for the chart of a symbol in Yahoo's spelling. Any status but 429 is an answer.

        Raises:
            RateLimited: Yahoo answered 429.
            VendorUnavailable: there was no answer, a broken one, or one from elsewhere.
            VendorRefused: the answer is longer than MAX_BYTES.
        """
        return self._get(CHART_URL + quote(symbol, safe=""), params)

    def quotes(self, symbols: Sequence[str]) -> Answer:
        """Ask for the quotes of symbols in Yahoo's spelling; raises what `chart` does."""
        return self._get(QUOTES_URL, {"symbols": ",".join(symbols), "formatted": "false"})

    def _get(self, url: str, params: Mapping[str, str | int]) -> Answer:
        try:
            with _muted():
                response = YfData(session=self._session).get(url, params=dict(params), timeout=TIMEOUT)
        except YFRateLimitError as error:
            wait = _retry_after(self._session.last)
            raise RateLimited("Yahoo limits the rate of requests (429)", wait) from error
        except VendorRefused:
            raise
        except Exception as error:  # yfinance lets through whatever its cookie parsers raise
            raise VendorUnavailable(f"no answer from Yahoo ({type(error).__name__}: {error})") from error
        asked, came = (urlsplit(address).netloc for address in (self._session.address(url), response.url))
        if asked != came:
            raise VendorUnavailable(f"Yahoo sent on to another host, {came}, which is not believed")
        return Answer(response.status_code, response.content)


@contextmanager
def _muted() -> Iterator[None]:
    """Silence yfinance's log for a while: it guesses at causes, and what failed is raised here anyway."""
    logger = logging.getLogger("yfinance")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _retry_after(response: Response | None) -> float | None:
    """Return the seconds that an answer asks to wait, None if it does not say so in seconds."""
    text = (response.headers.get("Retry-After") or "") if response is not None else ""
    return float(text) if text.isdecimal() else None
