"""Take back what was loaded: a load, or all rows of an instrument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from condvest.batch_layer.database.stores.identity.symbols import latest_carriers, read_spans
from condvest.batch_layer.database.stores.loading.listed_loads import ListedLoad, listed_loads, supplier_of
from condvest.batch_layer.operations.report import Progress, Report, recorded
from condvest.batch_layer.operations.resampling import resampled_after
from condvest.batch_layer.operations.screening import Screen, known_before
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import UnknownSymbol, UsageError
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.instruments.symbols import FOREVER
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.batch_layer.shared.models.undo import is_undo, removal_of, undo_of

_UNDONE = ("daily_bars", "splits", "dividends")


def undo_load(
    workspace: Workspace,
    load_id: int,
    *,
    dry_run: bool,
    screen: Screen | None = None,
    on_progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> Report:
    """Take back a load, with the other tables of the same payload, then resample; a dry run stores nothing.

    Its rows give way to what the other loads say, or are withdrawn; as of before, answers stay as they were.

    Raises:
        UsageError: there is no such load, it was taken back already, or it is of a kind that cannot be.
        ArchiveError: a payload that is needed is missing or damaged; nothing was taken back.
    """
    load = _checked(workspace, load_id)
    payload = undo_of(
        load.provider, f"undo of load {load_id} ({load.name})", [load.archive_key], workspace.now
    )
    return _taken_back(workspace, f"undo {load_id}", payload, dry_run, screen, on_progress, on_stop)


def remove_symbol(
    workspace: Workspace,
    symbol: str,
    *,
    dry_run: bool,
    screen: Screen | None = None,
    on_progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> Report:
    """Take back all daily bars, splits and dividends of the instrument that carries a symbol, or did so last.

    Then resample; a dry run stores nothing. As of before, answers stay as they were.

    Raises:
        UnknownSymbol: no instrument with daily bars carries or carried the symbol.
    """
    provider, on = _carrier(workspace, symbol)
    payload = removal_of(provider, f"removal of {symbol}", symbol, on, workspace.now)
    return _taken_back(workspace, f"remove {symbol}", payload, dry_run, screen, on_progress, on_stop)


def _checked(workspace: Workspace, load_id: int) -> ListedLoad:
    with workspace.database.transaction(read_only=True) as connection:
        load = next(iter(listed_loads(connection, load_id=load_id)), None)
    if load is None:
        raise UsageError(f"there is no load {load_id}; condvest loads lists them")
    if load.taken_back_by is not None:
        raise UsageError(f"load {load_id} was taken back already, by load {load.taken_back_by}")
    if is_undo(load.archive_key):
        raise UsageError(
            f"load {load_id} takes back another one; to have that again, import or fetch it again"
        )
    if load.dataset not in _UNDONE:
        raise UsageError(
            f"load {load_id} is of {load.dataset}; only daily bars, splits and dividends can be taken back "
            "(a rename: import a file that renames to nothing)"
        )
    return load


def _carrier(workspace: Workspace, symbol: str) -> tuple[str, dt.date]:
    """Return a provider of the instrument that a symbol stands for, and a date on which it carried it."""
    with workspace.database.transaction(read_only=True) as connection:
        carrier = latest_carriers(connection, [symbol]).get(symbol)
        if carrier is None:
            raise UnknownSymbol(f"no instrument with daily bars carries or carried {symbol}")
        span = [span for span in read_spans(connection)[carrier] if span.symbol == symbol][-1]
        provider = supplier_of(connection, carrier)
    today = workspace.now.astimezone(EXCHANGE_ZONE).date()
    return provider, max(span.first, today) if span.last == FOREVER else span.last


def _taken_back(
    workspace: Workspace,
    command: str,
    payload: Payload,
    dry_run: bool,  # noqa: FBT001  # passed on
    screen: Screen | None,
    on_progress: Progress | None,
    on_stop: Callable[[], None] | None,
) -> Report:
    loader = workspace.loader(workspace.sessions_ahead, rehearsal=dry_run)
    known_by = known_before(workspace)
    with recorded(workspace, command, rehearsal=dry_run) as report:
        if dry_run:
            report.loads.append(loader.load(payload))
            return report
        with resampled_after(workspace, report, screen, known_by, on_stop=on_stop, on_progress=on_progress):
            report.loads.append(loader.load(payload))
    return report
