"""Daily bars, splits and dividends from files: CSV, CSV.GZ and Parquet.

``read_payload`` touches the disk; ``parse`` is pure over the bytes it read.
"""

from batch_layer.shared.clients.files.parse import parse
from batch_layer.shared.clients.files.read import read_payload
from batch_layer.shared.clients.files.unpack import MAX_UNPACKED_BYTES

__all__ = ["MAX_UNPACKED_BYTES", "parse", "read_payload"]
