"""Daily bars, splits and dividends from files: CSV, CSV.GZ and Parquet.

``read_payload`` touches the disk; ``parse`` is pure over the bytes it read; ``divided`` lets the rows of a
large file wait on the disk.
"""

from condvest.batch_layer.shared.clients.files.dividing import divided
from condvest.batch_layer.shared.clients.files.parse import action_datasets, parse
from condvest.batch_layer.shared.clients.files.read import expand, read_payload
from condvest.batch_layer.shared.clients.files.unpacking.bounds import MAX_UNPACKED_BYTES

__all__ = ["MAX_UNPACKED_BYTES", "action_datasets", "divided", "expand", "parse", "read_payload"]
