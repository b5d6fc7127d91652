"""Answers as bytes: JSON rows or columns, JSON lines, CSV, Arrow, Parquet. Pure.

Every format holds the same values: dates are ISO dates, a float is the shortest text that reads back as the
same number, an unknown value is null (an empty field in CSV), and nothing is ever NaN.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from condvest.batch_layer.shared.errors import UsageError


@dataclass(frozen=True)
class Format:
    """One form of an answer.

    Attributes:
        name: what ``format=`` calls it.
        media_type: of the content.
        encode: a table and what stands beside the rows to bytes.
        is_paged: whether rows come in pages unless a limit is given.
        is_compressible: whether a content coding makes it smaller.
    """

    name: str
    media_type: str
    encode: Callable[[pa.Table, Mapping[str, Any]], bytes]
    is_paged: bool = False
    is_compressible: bool = True


def _json_rows(table: pa.Table, beside: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"rows": _rows(table), "count": len(table), **beside})


def _json_columns(table: pa.Table, beside: Mapping[str, Any]) -> bytes:
    columns = {name: _values(table[name]) for name in table.column_names}
    return orjson.dumps({"columns": columns, "count": len(table), **beside})


def _json_lines(table: pa.Table, _: Mapping[str, Any]) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in _rows(table))


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return what `to_pylist` does, in a third of the time."""
    return list(map(_row_of(tuple(table.schema.names)), *map(_values, table.columns)))


@lru_cache(maxsize=64)
def _row_of(names: tuple[str, ...]) -> Callable[..., dict[str, Any]]:
    """Return what makes a dict of the values of a row.

    It is made of its text, as `collections.namedtuple` is: a dict that is written down takes half the time of
    one of pairs. Of the names only the literals are in the text, so that they may be whatever they are.
    """
    arguments = ", ".join(f"_{at}" for at in range(len(names)))
    pairs = ", ".join(f"{name!r}: _{at}" for at, name in enumerate(names))
    made: Callable[..., dict[str, Any]] = eval(f"lambda {arguments}: {{{pairs}}}")  # noqa: S307  # see above
    return made


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column, None where one is unknown.

    NumPy makes numbers and dates many times as fast as Arrow, which makes an object of its own for each.
    """
    kind = column.type
    if pa.types.is_floating(kind):
        floats = column.to_numpy().tolist()
        # What is unknown is NaN here, which alone differs from itself.
        return [value if value == value else None for value in floats] if column.null_count else floats  # noqa: PLR0124
    if not column.null_count and (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        return cast("list[Any]", column.to_numpy().tolist())
    if not column.null_count and pa.types.is_date32(kind):
        return cast("list[Any]", column.to_numpy().astype("datetime64[D]").tolist())
    return cast("list[Any]", column.to_pylist())


def _csv(table: pa.Table, _: Mapping[str, Any]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    columns = [_csv_values(column) for column in table.columns]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _csv_values(column: pa.ChunkedArray) -> list[Any]:
    values = _values(column)
    if pa.types.is_boolean(column.type):
        return [value if value is None else str(value).lower() for value in values]
    if pa.types.is_timestamp(column.type):
        return [value if value is None else value.isoformat() for value in values]
    return values


def _arrow(table: pa.Table, beside: Mapping[str, Any]) -> bytes:
    table = _described(table, beside)
    counted = pa.MockOutputStream()
    _write_stream(counted, table)
    # With room for all of it nothing is copied: neither while it grows, nor at the end, as Arrow would do.
    sink = io.BytesIO()
    sink.seek(counted.size() - 1)
    sink.write(b"\0")
    sink.seek(0)
    _write_stream(sink, table)
    return sink.getvalue()


def _write_stream(sink: pa.NativeFile | io.BytesIO, table: pa.Table) -> None:
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _parquet(table: pa.Table, beside: Mapping[str, Any]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(_described(table, beside), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _described(table: pa.Table, beside: Mapping[str, Any]) -> pa.Table:
    """Return the table with what JSON says beside the rows in its metadata."""
    return table.replace_schema_metadata(
        {f"condvest.{name}": orjson.dumps(value) for name, value in beside.items()}
    )


FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        Format("json", "application/json", _json_rows, is_paged=True),
        Format("columns", "application/json", _json_columns, is_paged=True),
        Format("ndjson", "application/x-ndjson", _json_lines),
        Format("csv", "text/csv; charset=utf-8", _csv),
        Format("arrow", "application/vnd.apache.arrow.stream", _arrow),
        Format("parquet", "application/vnd.apache.parquet", _parquet, is_compressible=False),
    )
}
"""Every format by its name."""


class NotAcceptable(UsageError):
    """No format of the server is one that the client takes."""


def negotiated(name: str | None, accept: str | None) -> Format:
    """Return the format that a request asks for: by its name, else by its Accept header, else JSON rows.

    Raises:
        NotAcceptable: there is no such format, or none that Accept takes.
    """
    if name is not None:
        if name not in FORMATS:
            raise NotAcceptable(f"format {name!r}: choose one of {', '.join(FORMATS)}")
        return FORMATS[name]
    weights = _weights(accept or "*/*")
    for media in sorted(weights, key=lambda each: -weights[each]):
        if not weights[media]:
            break
        if media in ("*/*", "application/*"):
            return FORMATS["json"]
        for each in FORMATS.values():
            own = each.media_type.partition(";")[0]
            if media in (own, f"{own.partition('/')[0]}/*"):
                return each
    types = ", ".join(dict.fromkeys(each.media_type.partition(";")[0] for each in FORMATS.values()))
    raise NotAcceptable(f"Accept: {accept}: this server gives {types}")


_CODINGS = {"zstd": ("zstd", 3), "br": ("brotli", 4), "gzip": ("gzip", 4)}
"""Content coding to Arrow's name of the codec, and a level that costs little; the preferred one first.

Arrow's own levels for brotli and gzip (8 and 9) take several times as long for some hundredths of the bytes.
"""

SMALLEST = 1024
"""Bytes; anything smaller is not compressed."""


def content_coding(accept_encoding: str | None, chosen: Format) -> str:
    """Return the content coding of an answer: ``zstd``, ``br`` or ``gzip``; "" for none."""
    if not chosen.is_compressible or not accept_encoding:
        return ""
    weights = _weights(accept_encoding)
    usable = {coding: weights.get(coding, weights.get("*", 0.0)) for coding in _CODINGS}
    best = max(usable, key=usable.__getitem__)
    return best if usable[best] > 0 else ""


def compressed(content: bytes, coding: str) -> bytes:
    """Return the content in a content coding."""
    codec, level = _CODINGS[coding]
    packed: bytes = pa.Codec(codec, compression_level=level).compress(content, asbytes=True)
    return packed


def _weights(header: str) -> dict[str, float]:
    """Return the names of an Accept or Accept-Encoding header with their weights (RFC 9110, 12.4.2)."""
    weights = {}
    for each in header.split(","):
        name, *parameters = (part.strip().lower() for part in each.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if name:
            weights[name] = weight
    return weights
