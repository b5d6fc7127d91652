"""A session's answer of 12,500 rows as the archive packs it, beside gzip: seconds, and bytes a daily bar."""

import datetime as dt
import gzip

from benchmarks.answers import INSTRUMENTS, body_of, session_of
from benchmarks.core import FIRST_ORDINAL
from benchmarks.report import Figure, figures, in_turns
from condvest.batch_layer.shared.clients.archive.packing import ZSTD, packed

OURS = "condvest, zstd"


def run(options):
    """Yield a figure a contender."""
    body = body_of(session_of(FIRST_ORDINAL, options.seed), dt.date(2024, 5, 31))
    work = {
        OURS: lambda: b"".join(packed(body, ZSTD)),
        "gzip, level 6": lambda: gzip.compress(body, 6),
        "as it came": lambda: bytes(bytearray(body)),
    }
    sizes = {name: len(pack()) / INSTRUMENTS for name, pack in work.items()}
    for figure in figures(in_turns(work, options.repeats), {}, INSTRUMENTS, OURS):
        yield Figure(**vars(figure) | {"bytes_a_row": round(sizes[figure.name], 1)})
