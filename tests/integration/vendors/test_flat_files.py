"""Massive's flat files, over the wire from the emulated bucket to the bars."""

import datetime as dt
import threading
from dataclasses import dataclass, field

import pytest

from condvest.batch_layer.database.stores.loading.ledger import UNDER_WAY, keep_etag
from condvest.batch_layer.fetching import fetch
from condvest.batch_layer.operations import nightly
from condvest.batch_layer.shared.clients.massive.flat_files import AHEAD, FlatFilesProvider, name_of
from condvest.batch_layer.shared.clients.massive.wire.bucket import client_of
from condvest.batch_layer.shared.errors import SettingsError, VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.models.given.payloads import VendorFile
from condvest.batch_layer.shared.models.instruments.providers import Unavailable
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.retry import Retry
from condvest.batch_layer.shared.vendor_settings import FlatFilesSettings
from tests.support.emulators.faults import Fault
from tests.support.emulators.synthetic.market import LONGEST_DELAY, Market
from tests.support.worlds.vendor_truth import AtMassive, Desk, disagreements, serving, unconnected

D = dt.date
FIRST, LAST = D(2024, 1, 2), D(2024, 2, 29)
KEY_OF_FILES = "s3cret-of-the-files-4711"


def files_ready(session):
    """Return an instant after the files of a session are there: noon in New York, the day after."""
    return dt.datetime.combine(session + dt.timedelta(days=1), dt.time(17), dt.UTC)


def settings_of(emulator, home):
    files = FlatFilesSettings(endpoint=emulator.url, key_id="an-id", secret=KEY_OF_FILES)
    return Settings(home=home, flat_files=files)


@dataclass(frozen=True)
class AtFiles(AtMassive):
    """The same workspace, with the emulator's bucket."""

    retries: int = field(default=40, kw_only=True)

    def _provider(self, provider, symbols, stack, *, from_files=False):
        rest = super()._provider(provider, symbols, stack)
        if not from_files:
            return rest
        return stack.enter_context(
            FlatFilesProvider(
                client_of(settings_of(self.emulator, self.settings.home)),
                "flatfiles",
                rest,
                retry=Retry(attempts=self.retries, budget=1e9, sleep=lambda _: None),
                now=lambda: self.now,
            )
        )


class FilesDesk(Desk):
    """One database that is kept from the files."""

    def at_files(self, now, **how):
        self.emulator.knobs.update({"now": now})
        return AtFiles(Settings(home=self.home), self.database, now, emulator=self.emulator, **how)

    def backfill(self, now, start=FIRST, end=None, on_load=None, **how):
        workspace = self.at_files(now, **how)
        with workspace.ingest("massive", from_files=True) as ingest:
            sessions = sorted({*ingest.due.missing(start, end), *ingest.due.republished(start, end)})
            return nightly.backfill(workspace, ingest, sessions[::-1], on_load=on_load)


@pytest.fixture(scope="module")
def market():
    return Market(31, 60, FIRST, LAST, revisions=0.01)


@pytest.fixture
def emulator(market):
    with serving(market, dirt=False) as running:
        yield running


@pytest.fixture
def desk(database, tmp_path, emulator):
    return FilesDesk(database, tmp_path, emulator)


@pytest.fixture
def provider(emulator, tmp_path):
    """Make a provider of the files alone."""
    opened = []

    def make(attempts=10):
        retry = Retry(attempts=attempts, budget=1e9, sleep=lambda _: None)
        opened.append(
            FlatFilesProvider(client_of(settings_of(emulator, tmp_path)), "flatfiles", None, retry=retry)
        )
        return opened[-1]

    emulator.knobs.update({"now": files_ready(LAST)})
    yield make
    for one in opened:
        one.close()


def insist_on_truth(desk, now):
    market = desk.emulator.market
    wrong = disagreements(desk, market, now, FIRST, unknowable=unconnected(market, now), source="file")
    assert wrong == []
    assert desk.wrong_bars() == []


def file_calls(emulator):
    return [one["target"] for one in emulator.log.recent if one["endpoint"] == "flat_files"]


def test_a_backfill_from_files_is_the_truth_and_one_call_a_session(desk, emulator, market):
    now = files_ready(LAST)
    report = desk.backfill(now)
    assert (report.exit_code, report.unavailable) == (0, [])
    assert len(file_calls(emulator)) == len(market.sessions())
    insist_on_truth(desk, now)
    (kept, etags) = desk.rows("SELECT count(*), count(DISTINCT etag) FROM published_files")[0]
    assert (kept, etags) == (len(market.sessions()), len(market.sessions()))


def test_the_same_backfill_again_asks_for_the_lists_alone(desk, emulator):
    now = files_ready(LAST)
    desk.backfill(now)
    emulator.log.clear()
    report = desk.backfill(now)
    assert report.as_json()["sessions"] == 0
    assert len(file_calls(emulator)) == 2, "January's and February's"


def test_a_file_that_is_published_anew_is_loaded_again_and_no_other(desk, emulator, market):
    early = market.sessions()[20]
    desk.backfill(files_ready(early), end=early)
    later = files_ready(market.sessions()[20 + LONGEST_DELAY + 1])
    emulator.log.clear()
    desk.backfill(later, end=early)
    fetched = [target for target in file_calls(emulator) if target.endswith(".csv.gz")]
    assert 0 < len(fetched) < 20
    market_now = {session: market.bars(session, later, source="file") for session in market.sessions()[:21]}
    stored = dict(
        desk.rows("SELECT session, sum(close) FROM daily_bars JOIN sessions USING (ordinal) GROUP BY 1")
    )
    assert stored == pytest.approx({session: rows.close.sum() for session, rows in market_now.items()})
    assert desk.wrong_bars() == []


def test_a_load_that_was_stopped_before_its_version_was_kept_is_done_again(desk, emulator, monkeypatch):
    now = files_ready(LAST)

    class Stopped(Exception):
        pass

    keep = keep_etag

    def stop_before_the_version_is_kept(connection, provider_id, name, etag, fetched_at):
        if etag != UNDER_WAY:
            raise Stopped
        keep(connection, provider_id, name, etag, fetched_at)

    monkeypatch.setattr(fetch, "keep_etag", stop_before_the_version_is_kept)
    with pytest.raises(Stopped):
        desk.backfill(now)
    monkeypatch.undo()
    # The first transaction is stored, of a file or of some that came together.
    assert desk.rows("SELECT count(*) > 0 FROM ledger") == [(True,)]
    emulator.log.clear()
    desk.backfill(now)
    assert any(target.endswith(f"{LAST}.csv.gz") for target in file_calls(emulator))
    assert desk.rows("SELECT count(*) FROM published_files WHERE etag = ''") == [(0,)]


def test_a_session_without_a_file_is_unavailable_and_comes_later(desk, market):
    """At the evening of a session its file is not there; at noon of the next day it is."""
    evening = dt.datetime.combine(LAST, dt.time(23), dt.UTC)
    report = desk.backfill(evening)
    assert [one.session for one in report.unavailable] == [LAST]
    assert "11:00 in New York" in report.unavailable[0].reason
    assert report.as_json()["sessions"] == len(market.sessions()) - 1
    now = files_ready(LAST)
    assert desk.backfill(now).as_json()["sessions"] >= 1
    insist_on_truth(desk, now)


def test_files_among_faults_end_in_the_truth_and_the_secret_goes_nowhere(desk, emulator):
    """Cut-off and dripping bodies, resets, HTML, redirects to another host, 429, 5xx."""
    emulator.knobs.update({"faults": 0.3, "next_faults": list(Fault.__members__)})
    now = files_ready(LAST)
    for _ in range(5):
        if not desk.backfill(now).as_json()["partial"]:
            break
    emulator.knobs.update({"faults": 0.0})
    desk.backfill(now)
    insist_on_truth(desk, now)
    told = emulator.log.as_json()
    assert told["keys_led_astray"] == 0
    assert "elsewhere" not in told["by_endpoint"]


def test_a_download_cut_off_is_asked_for_again(provider, emulator):
    emulator.knobs.update({"next_faults": ["TRUNCATED_BODY", "TRUNCATED_TEXT", "HTML_OK", "EMPTY_OK"]})
    (answer,) = provider().fetch([LAST])
    payload = answer.payload
    assert isinstance(payload, VendorFile)
    assert (payload.name, payload.media, payload.is_whole) == (name_of(LAST), "csv.gz", True)
    assert emulator.calls["flat_files"] == 5


def test_a_budget_that_is_spent_says_so(provider, emulator):
    emulator.knobs.update({"faults": 1.0, "fault_names": ["UNAVAILABLE_HTML"]})
    with pytest.raises(
        VendorUnavailable, match=r"2024-02-29\.csv\.gz: .* in 3 calls .* what is loaded stays"
    ):
        list(provider(attempts=3).fetch([LAST]))


def test_a_file_outside_the_plan_is_refused_at_once(provider, emulator):
    emulator.knobs.update({"plan": "basic"})
    with pytest.raises(VendorRefused, match=r"do not cover the flat file .* leave out --from-files"):
        list(provider().fetch([LAST]))
    assert emulator.calls["flat_files"] == 1


def test_a_bucket_that_is_not_there_is_named(emulator, tmp_path):
    client = client_of(settings_of(emulator, tmp_path))
    with (
        FlatFilesProvider(client, "another", None) as provider,
        pytest.raises(VendorRefused, match="CONDVEST_FLATFILES_BUCKET"),
    ):
        list(provider.fetch([LAST]))


def test_a_date_that_is_no_session_has_no_file(provider):
    (answer,) = provider().fetch([D(2024, 2, 19)])
    assert isinstance(answer, Unavailable)


def test_some_files_are_on_their_way_while_one_is_loaded_but_not_all(provider, market):
    """Each call waits until AHEAD of them have come, which they do only if they are under way at once."""
    files, together = provider(), threading.Barrier(AHEAD)
    asked = []
    client = files._client
    get_object = client.get_object

    def get(**what):
        asked.append(what["Key"])
        if len(asked) <= AHEAD:
            together.wait(timeout=30)
        return get_object(**what)

    client.get_object = get
    answers = files.fetch(market.sessions())
    first = next(answers)
    assert first.payload.first_session == market.sessions()[0]
    assert len(asked) <= AHEAD
    rest = list(answers)
    assert [one.payload.first_session for one in rest] == market.sessions()[1:]
    assert asked != [], "in the order asked for, whichever came first"


def test_files_need_their_own_keys(tmp_path):
    with pytest.raises(SettingsError, match="CONDVEST_FLATFILES_KEY_ID"):
        FlatFilesProvider.from_settings(Settings(home=tmp_path))


def test_the_keys_are_never_shown(tmp_path):
    environ = {"CONDVEST_FLATFILES_KEY_ID": "an-id-4711", "CONDVEST_FLATFILES_SECRET": KEY_OF_FILES}
    settings = Settings.from_env(environ | {"CONDVEST_HOME": str(tmp_path)})
    assert (settings.flat_files.key_id, settings.flat_files.secret) == ("an-id-4711", KEY_OF_FILES)
    assert "4711" not in repr(settings)
