"""Loading tables from Python, as ``condvest import`` loads files."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa

from condvest.api import ADJUSTED
from condvest.asking import present_settings
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.given.file_options import FileOptions, Midnight, Prices, SymbolsMean
from condvest.batch_layer.shared.models.instruments.provider_kinds import checked_name
from condvest.batch_layer.shared.settings import Settings

_Dataset = Literal["daily_bars", "splits", "dividends"]

_SIDE_BY_SIDE = 2
"""Levels of the columns of a frame that has several symbols side by side."""

_SESSION_NAMES = ("session", "date", "window_start")


def load(
    bars: Any = None,  # noqa: ANN401  # whatever has rows and columns
    *,
    splits: Any = None,  # noqa: ANN401  # as above
    dividends: Any = None,  # noqa: ANN401  # as above
    symbol: str | None = None,
    provider: str = "file",
    name: str = "python",
    prices: Prices | None = None,
    midnight: Midnight = "exchange",
    symbols_mean: SymbolsMean = "date",
    dry_run: bool = False,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Load daily bars, splits and dividends from tables: the same checks, archive and ledger as for files.

    Args:
        bars: a pandas DataFrame, or anything that speaks Arrow (a pyarrow Table or RecordBatch, a Polars
            DataFrame), with the columns of ``condvest import`` in any case and order: symbol (or ticker),
            session (or date), open, high, low, close, volume; vwap and trades if known. A frame's index may
            hold the sessions, or symbols and sessions; a frame whose columns have two levels, fields and
            symbols in either order as of ``yfinance.download``, is of the symbols side by side. What
            `condvest.bars` with ``interval=1``, ``adjust="none"`` and `condvest.frame` give is taken so.
        splits: a table with symbol, ex_date, split_from, split_to.
        dividends: a table with symbol, ex_date, cash_amount.
        symbol: of ``bars`` without a column of symbols.
        provider: under which the rows are kept; ``massive``, ``yahoo`` and ``sample`` are Condvest's own.
        name: of the tables, for messages and ``condvest loads``.
        prices: what the prices are: ``"as-traded"``, ``"split-adjusted"`` (``splits`` lead back) or
            ``"adjusted"``.
        midnight: in which time zone an instant that stands for a session is 00:00: ``"exchange"``, ``"utc"``.
        symbols_mean: whether a symbol is the one carried on the row's ``"date"``, or ``"today"``.
        dry_run: whether nothing is stored.
        settings: where the database is; from the environment if None.

    Returns:
        What ``condvest import --json`` reports (docs/cli.md): rows, inserted, changed, unchanged, refused (by
        code), notices, findings and more. Rows that break a rule are refused, and never raise.

    Raises:
        UsageError: there is nothing to load, or an argument has a value that it cannot have.
        InputError: a table lacks a column, or cannot be read; nothing of it was loaded.
        CondvestError: the database or the archive cannot be opened, read or written.
    """
    every: dict[_Dataset, Any] = {"daily_bars": bars, "splits": splits, "dividends": dividends}
    given = [(table, dataset) for dataset, table in every.items() if table is not None]
    if not given:
        raise UsageError("nothing to load: pass bars, splits or dividends")
    if provider in ("massive", "yahoo", "sample"):
        raise UsageError(f"provider {provider!r} is Condvest's own; choose another name, such as file")
    # Imported here: who reads needs nothing of what loads.
    from condvest.batch_layer.operations.import_files import import_tables  # noqa: PLC0415
    from condvest.batch_layer.operations.workspace import open_workspace  # noqa: PLC0415
    from condvest.screening import screen_of  # noqa: PLC0415

    tables = [(_as_arrow(table, dataset), dataset) for table, dataset in given]
    _insist_on_daily(bars, prices)
    options = FileOptions(symbol, midnight=midnight, prices=prices, symbols_mean=symbols_mean)
    with open_workspace(settings or present_settings()) as workspace:
        report = import_tables(
            workspace,
            tables,
            checked_name(provider),
            name=name,
            options=options,
            screen=screen_of(workspace),
            dry_run=dry_run,
        )
    return report.as_json()


def _insist_on_daily(bars: Any, prices: Prices | None) -> None:  # noqa: ANN401  # as `load`
    """Refuse a frame or table of Condvest's own of other bars, or of other prices, than it is taken for.

    Raises:
        UsageError: it has bars of several sessions, or adjusted prices that were not said to be so.
    """
    own = getattr(bars, "attrs", {}).get("condvest", {})
    if isinstance(bars, pa.Table) and (adjust := (bars.schema.metadata or {}).get(ADJUSTED.encode())):
        own = {"adjust": adjust.decode()}
    if own.get("interval", 1) != 1:
        raise UsageError(
            f"bars: expected daily bars, got Condvest's own of {own['interval']} sessions; "
            "pass those of interval=1"
        )
    if own.get("adjust", "none") == "total" or (own.get("adjust") == "splits" and prices is None):
        raise UsageError(
            f"bars: expected prices as traded, got Condvest's own with adjust={own['adjust']!r}; "
            'pass those of adjust="none"'
        )


def _as_arrow(given: Any, dataset: Literal["daily_bars", "splits", "dividends"]) -> pa.Table:  # noqa: ANN401  # as `load`
    """Return what was given as an Arrow table, the index of a frame among its columns."""
    if isinstance(given, pa.RecordBatch):
        given = pa.Table.from_batches([given])
    if not isinstance(given, pa.Table):
        if hasattr(given, "index") and hasattr(given, "reset_index"):
            given = _indexed(given)
        elif hasattr(given, "__arrow_c_stream__"):
            given = pa.table(given)
        else:
            raise UsageError(
                f"{dataset}: expected a pandas DataFrame or an Arrow table, got {type(given).__name__}"
            )
    table: pa.Table = given
    return _of_sessions(table) if dataset == "daily_bars" else table


def _indexed(frame: Any) -> pa.Table:  # noqa: ANN401  # pandas is not imported here
    """Return a DataFrame as a table; an index without names is of sessions, or of symbols and sessions."""
    if frame.columns.nlevels == _SIDE_BY_SIDE:
        frame = _below_each_other(frame)
    levels = list(frame.index.names)
    is_plain = levels == [None] and frame.index.dtype.kind in "iu"
    if not is_plain:
        names = ["symbol", "session"][-len(levels) :]
        named = [level or names[at] for at, level in enumerate(levels)]
        frame = frame.rename_axis(index=named if len(named) > 1 else named[0]).reset_index()
    return pa.Table.from_pandas(frame, preserve_index=False)


def _below_each_other(frame: Any) -> Any:  # noqa: ANN401  # pandas is not imported here
    """Return a frame of symbols side by side as rows by session and symbol, without those that are all NaN.

    Raises:
        UsageError: no level of the columns has a close.
    """
    fields = [
        level for level in (0, 1) if "close" in {str(name).lower() for name in frame.columns.levels[level]}
    ]
    if len(fields) != 1:
        raise UsageError(
            "bars: expected a level of the columns with the fields (Close, ...), another of symbols"
        )
    # From pandas 3 on the new implementation is the only one, which drops nothing by itself.
    rows = frame.stack(1 - fields[0], future_stack=True).dropna(how="all")
    return rows.rename_axis(index=["session", "symbol"], columns=None)


def _of_sessions(table: pa.Table) -> pa.Table:
    """Return a table whose sessions are called so: Condvest's own bars call them ``last_session``.

    Raises:
        UsageError: they are bars of more than a session, which no daily bars can be made of.
    """
    lower = {name.lower(): name for name in table.column_names}
    if "interval" in lower and any(
        interval != 1 for interval in table[lower["interval"]].unique().to_pylist()
    ):
        raise UsageError("bars: expected daily bars, got bars of several sessions; pass those of interval=1")
    if "last_session" in lower and not any(name in lower for name in _SESSION_NAMES):
        names = ["session" if name == lower["last_session"] else name for name in table.column_names]
        table = table.rename_columns(names)
    return table
