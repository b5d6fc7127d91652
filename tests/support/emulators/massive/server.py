"""Massive's REST service and flat files, over HTTP."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from urllib.parse import quote

import numpy as np

from tests.support.emulators.emulator import Emulator, Refusal
from tests.support.emulators.faults import Fault, Reply, json_reply
from tests.support.emulators.httpd import Request
from tests.support.emulators.kept import Kept
from tests.support.emulators.massive import actions, aggregates, errors, paging, reference, snapshot, status
from tests.support.emulators.massive.flatfiles import FlatFiles, years_before
from tests.support.emulators.massive.routes import date_in, is_true, route_of
from tests.support.emulators.plans import PLANS, CallCount, Plan
from tests.support.emulators.synthetic.market import Market, Rows
from tests.support.emulators.synthetic.sessions import new_york_date, utc64
from tests.support.emulators.synthetic.trades import Day, day_of

KEY = "emulated-key"
"""The key that the emulator knows, unless told another."""

VENDOR_HOST = "https://api.massive.com"


class MassiveEmulator(Emulator):
    """Emulates Massive. See Emulator for the arguments that it shares.

    Args:
        key: the key that is known; any other gets 401.
        clock: seconds, for the plan's calls a minute.
    """

    def __init__(
        self,
        market: Market,
        *,
        key: str = KEY,
        clock: Callable[[], float] = time.monotonic,
        **settings,
    ) -> None:
        super().__init__(market, **settings)
        self.key = key
        self._count = CallCount(clock)
        self._files = FlatFiles(market)
        self._bodies = Kept(most=16)
        self._lists = Kept(most=24)
        self._days = Kept(most=2)
        self.bursts: dict[dt.date, list] = {}
        self.stream = None

    @property
    def plan(self) -> Plan:
        """The plan in force."""
        return PLANS[self.knobs.plan]

    def day(self, session: dt.date) -> Day:
        """Return the trades of a session."""
        return self._days.get((session,), lambda: day_of(self.market, session))

    def act(self, what: str, values: dict) -> Reply | None:
        """Move the clock of the stream beside this service: ``next`` and ``advance``."""
        if what == "next":
            return json_reply({"now": self.stream.next_instant(values["seconds"]).isoformat()})
        if what == "advance":
            return json_reply(self.stream.advance(values["seconds"], values["port"]))
        return None

    def match(self, request: Request) -> tuple[str, str]:
        """Return the endpoint's name and its family of faults."""
        endpoint, family, _ = route_of(request)
        return endpoint, family

    def admit(self, request: Request, endpoint: str) -> None:
        """Let a call pass, or refuse it: 401 without the key, 429 above the plan's rate."""
        if endpoint == "flat_files":
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.query.get(
            "apiKey", ""
        )
        if given != self.key:
            raise Refusal(errors.unknown_key() if given else errors.no_key())
        wait = self._count.wait(*(self.knobs.rate or (self.plan.calls, self.plan.seconds)))
        if wait:
            raise Refusal(errors.too_many(wait if self.knobs.retry_after else None))

    def serve(self, request: Request, endpoint: str, fault: Fault | None) -> Reply:
        """Return the honest answer, or that of another session or half a market if ``fault`` says so."""
        _, _, given = route_of(request)
        if endpoint == "flat_files":
            return self._files.answer(request, self.plan, self.now())
        if endpoint == "grouped":
            return self._grouped(given["date"], request.query, fault)
        if endpoint == "range":
            return self._range(given, request)
        if endpoint in ("tickers", "splits", "dividends", "old_splits", "old_dividends"):
            return self._list(endpoint, request)
        if endpoint == "unknown":
            return Reply(404, b"404 page not found\n", "text/plain")
        return {
            "open_close": self._open_close,
            "details": self._details,
            "events": self._events,
            "snapshot": lambda *_: self._snapshot(),
            "status": lambda *_: json_reply(status.market_status(self.market, self.now())),
            "holidays": lambda *_: json_reply(status.upcoming(self.market, self.now())),
        }[endpoint](given, request.query)

    def _grouped(self, text: str, query: dict[str, str], fault: Fault | None) -> Reply:
        date = date_in(text)
        self._check_plan(date)
        if fault is Fault.OTHER_SESSION:
            at = self.market.schedule.index(date)
            date = self.market.date(at - 1) if at else date - dt.timedelta(days=1)
        wanted = {
            "adjusted": is_true(query, "adjusted", default=True),
            "otc": is_true(query, "include_otc", default=False),
            "half": fault is Fault.HALF_MARKET,
        }
        special = date.isoformat() in self.knobs.cut_short or date.isoformat() in self.knobs.extra_rows
        if special or not self._is_over(date):
            return Reply(200, self._grouped_body(date, **wanted))
        key = (date, *wanted.values(), self.knobs.dirt, self.market.version(date, self.now()))
        key += (new_york_date(self.now()),) if wanted["adjusted"] else ()
        return Reply(200, self._bodies.get(key, lambda: self._grouped_body(date, **wanted)))

    def _grouped_body(self, date: dt.date, *, adjusted: bool, otc: bool, half: bool) -> bytes:
        now, at = self.now(), self.market.schedule.index(date)
        rows = self._rows_at(date, now, otc=otc)
        extra = aggregates.dirt_of(rows, at, date) if self.knobs.dirt and at is not None else []
        extra += self.knobs.extra_rows.get(date.isoformat(), [])
        share = 0.5 if half else self.knobs.cut_short.get(date.isoformat())
        if share is not None:
            rows = rows.take(slice(0, int(len(rows) * share)))
        rows = self.market.adjusted(rows, now) if adjusted else rows
        return aggregates.grouped_body(rows, date, errors.request_id(), adjusted=adjusted, extra=extra)

    def _rows_at(self, date: dt.date, now: dt.datetime, *, otc: bool) -> Rows:
        """Return a session's rows at an instant; while it lasts, as they might stand."""
        at = self.market.schedule.index(date)
        if at is None or self._is_over(date) or utc64(now) < self.market.schedule.opens[at]:
            return self.market.bars(date, now, otc=otc)
        close = self.market.schedule.closes[at].astype(dt.datetime).replace(tzinfo=dt.UTC)
        return aggregates.running(self.market.bars(date, close, otc=otc))

    def _is_over(self, date: dt.date) -> bool:
        at = self.market.schedule.index(date)
        return at is None or self.market.schedule.closed_by(self.now()) > at

    def _check_plan(self, date: dt.date) -> None:
        today = new_york_date(self.now())
        if date >= today and not self.plan.today:
            raise Refusal(errors.before_end_of_day())
        if self.plan.years is not None and date < years_before(today, self.plan.years):
            raise Refusal(errors.out_of_plan_years())

    def _range(self, given: dict[str, str], request: Request) -> Reply:
        if (given["mult"], given["span"]) != ("1", "day"):
            raise Refusal(errors.bad_request("the emulator serves 1/day alone"))
        query, offset = paging.decode(request.query)
        since, until = date_in(given["since"]), date_in(given["until"])
        if since > until:
            raise Refusal(errors.bad_request("The parameter 'to' cannot be a time that occurs before 'from'"))
        since, until = self._span_in_plan(since, until)
        adjusted = is_true(query, "adjusted", default=True)
        limit = paging.limit_of(query, 5000, 50_000)
        results = aggregates.range_results(
            self._ticker_rows(given["ticker"], since, until, adjusted=adjusted)
        )
        results = results[::-1] if query.get("sort") == "desc" else results
        page = results[offset : offset + limit]
        answer = {"ticker": given["ticker"], "queryCount": len(page), "resultsCount": len(page)}
        answer |= {"adjusted": adjusted} | ({"results": page} if page else {})
        answer |= {"status": "OK", "request_id": errors.request_id()}
        if offset + limit < len(results):
            answer["next_url"] = self._next(request.raw_path, query, offset + limit)
        return json_reply(answer)

    def _span_in_plan(self, since: dt.date, until: dt.date) -> tuple[dt.date, dt.date]:
        """Return the part of a range that the plan holds; refuse a range that lies outside whole."""
        today = new_york_date(self.now())
        if not self.plan.today:
            if since >= today:
                raise Refusal(errors.before_end_of_day())
            until = min(until, today - dt.timedelta(days=1))
        if self.plan.years is None:
            return since, until
        earliest = years_before(today, self.plan.years)
        if until < earliest or (since < earliest and self.knobs.early_start == "refuse"):
            raise Refusal(errors.out_of_plan_years())
        return max(since, earliest), until

    def _ticker_rows(self, ticker: str, since: dt.date, until: dt.date, *, adjusted: bool) -> Rows:
        """Return the bars under a ticker, whoever carried it: renames are not stitched."""
        now, parts = self.now(), []
        for instrument, first, end in self.market.universe.holders(ticker):
            rows = self.market.history(instrument, now)
            at = np.searchsorted(self.market.schedule.dates, rows.session)
            wanted = (at >= first) & (at < end)
            wanted &= (rows.session >= np.datetime64(since)) & (rows.session <= np.datetime64(until))
            parts.append(rows.take(wanted))
        parts = sorted((part for part in parts if len(part)), key=lambda part: part.session[0])
        rows = Rows.concat(parts) if parts else self.market.bars(dt.date.min)
        return self.market.adjusted(rows, now) if adjusted else rows

    def _open_close(self, given: dict[str, str], query: dict[str, str]) -> Reply:
        date = date_in(given["date"])
        self._check_plan(date)
        adjusted = is_true(query, "adjusted", default=True)
        rows = self._ticker_rows(given["ticker"], date, date, adjusted=adjusted)
        if not len(rows):
            raise Refusal(errors.not_found("Data not found."))
        prices = {name: float(getattr(rows, name)[0]) for name in ("open", "high", "low", "close", "volume")}
        answer = {"status": "OK", "from": date.isoformat(), "symbol": given["ticker"]} | prices
        answer |= {"afterHours": prices["close"], "preMarket": prices["open"]}
        return json_reply(answer | ({"otc": True} if rows.otc[0] else {}))

    def _list(self, endpoint: str, request: Request) -> Reply:
        query, offset = paging.decode(request.query)
        default, most = {"tickers": (100, 1000), "splits": (100, 5000), "dividends": (100, 5000)}.get(
            endpoint, (10, 1000)
        )
        limit = paging.limit_of(query, default, most)
        kept = {name: value for name, value in query.items() if name not in ("apiKey", "limit")}
        key = (endpoint, new_york_date(self.now()), self.knobs.old_names_inactive, self.knobs.dirt)
        key += tuple(sorted(kept.items()))
        records = self._lists.get(key, lambda: self._records(endpoint, kept))
        page = records[offset : offset + limit]
        answer: dict = {"results": page, "status": "OK", "request_id": errors.request_id()}
        if endpoint == "tickers":
            answer["count"] = len(page)
        if offset + limit < len(records):
            answer["next_url"] = self._next(request.raw_path, query, offset + limit)
        return json_reply(answer)

    def _records(self, endpoint: str, query: dict[str, str]) -> list[dict]:
        if endpoint == "tickers":
            return self._tickers(query)
        what = endpoint.removeprefix("old_")
        key = (what, new_york_date(self.now()), self.knobs.dirt)
        records = self._lists.get(key, lambda: self._actions(what))
        default = "execution_date.desc" if what == "splits" else "ticker.asc"
        if endpoint.startswith("old_"):
            old = actions.old_splits if endpoint == "old_splits" else actions.old_dividends
            date = "execution_date" if endpoint == "old_splits" else "ex_dividend_date"
            records = paging.matching(old(records), query)
            return paging.ordered(records, query.get("sort", date), query.get("order", "desc"))
        column, _, order = query.get("sort", default).partition(".")
        return paging.ordered(paging.matching(records, query), column, order or "asc")

    def _actions(self, what: str) -> list[dict]:
        if what == "splits":
            return actions.splits(self.market, self.now(), dirt=self.knobs.dirt)
        return actions.dividends(self.market, self.now())

    def _tickers(self, query: dict[str, str]) -> list[dict]:
        date = date_in(query["date"]) if query.get("date") else new_york_date(self.now())
        active = is_true(query, "active", default=True)
        records = reference.tickers(self.market, date, active=active, old_names=self.knobs.old_names_inactive)
        renamed = {"exchange": "primary_exchange"}
        records = paging.matching(records, {renamed.get(name, name): text for name, text in query.items()})
        if word := query.get("search", "").lower():
            records = [record for record in records if word in f"{record['ticker']} {record['name']}".lower()]
        return paging.ordered(records, query.get("sort", "ticker"), query.get("order", "asc"))

    def _details(self, given: dict[str, str], query: dict[str, str]) -> Reply:
        date = date_in(query["date"]) if query.get("date") else new_york_date(self.now())
        instrument = self.market.holder(given["ticker"], date)
        if instrument is None:
            raise Refusal(errors.not_found())
        results = reference.details(self.market, instrument, date)
        return json_reply({"request_id": errors.request_id(), "results": results, "status": "OK"})

    def _events(self, given: dict[str, str], _query: dict[str, str]) -> Reply:
        today = new_york_date(self.now())
        instrument = reference.instrument_of(self.market, given["identifier"], today)
        if instrument is None:
            raise Refusal(errors.not_found())
        results = reference.events(self.market, instrument, today)
        return json_reply({"results": results, "status": "OK", "request_id": errors.request_id()})

    def _snapshot(self) -> Reply:
        if not self.plan.snapshots:
            raise Refusal(errors.not_authorized("You are not entitled to this data."))
        delay = dt.timedelta(seconds=self.plan.delay)
        now = self.now() - dt.timedelta(seconds=self.knobs.stale_snapshot)
        rows = snapshot.tickers(self.market, now, delay, self.day, self.knobs.updated)
        share = self.knobs.cut_short.get(new_york_date(self.now()).isoformat())
        rows = rows if share is None else rows[: int(len(rows) * share)]
        status_word = "DELAYED" if delay else "OK"
        answer = {"status": status_word, "request_id": errors.request_id(), "count": len(rows)}
        return json_reply(answer | {"tickers": rows})

    def _next(self, raw_path: str, query: dict[str, str], offset: int) -> str:
        host = self.url if self.knobs.own_host else VENDOR_HOST
        return f"{host}{raw_path}?cursor={quote(paging.encode(query, offset))}"
