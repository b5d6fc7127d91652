"""What was said about a file is archived with it; a file archived without that reads as it did."""

import datetime as dt
import json

from condvest.batch_layer.shared.clients.archive import describe, key_of, restore
from condvest.batch_layer.shared.clients.files import parse
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.given.payloads import Payload

NOW = dt.datetime(2024, 6, 10, tzinfo=dt.UTC)
TABLE = (
    b"symbol,date,open,high,low,close,volume,split\nA,2024-06-03,4,4,4,4,100,0\nA,2024-06-04,4,4,4,4,200,2\n"
)
SAID = FileOptions(
    "A", symbol_from_path=True, midnight="utc", prices="split-adjusted", splits=(("A", "2024-06-04", 2.0),)
)


def payload(options):
    return Payload(
        "file", "daily_bars", TABLE, "csv", None, None, NOW, is_whole=False, name="a.csv", options=options
    )


def test_options_come_back_from_the_archive():
    kept = payload(SAID)
    assert restore(key_of(kept), TABLE, describe(kept)) == kept


def test_a_table_archived_without_options_is_read_as_it_was():
    description = json.loads(describe(payload(SAID)))
    del description["options"], description["description_digest"]  # an earlier version knew neither
    read = parse(restore(key_of(payload(SAID)), TABLE, json.dumps(description).encode()))
    assert (read.rows.close.tolist(), read.faults, read.notices) == ([4.0, 4.0], {}, ())
