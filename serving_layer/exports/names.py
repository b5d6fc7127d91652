"""Names of files for symbols, which every file system and the programs that read them take. Pure."""

from __future__ import annotations

import re

_RESERVED = {
    # Devices of Windows.
    *("CON", "PRN", "AUX", "NUL"),
    *(f"{device}{number}" for device in ("COM", "LPT") for number in range(10)),
    # pandas reads these as missing values, and qlib reads its list of instruments by pandas.
    *("NA", "NAN", "NULL", "NONE"),
}


class FileNames:
    """Gives each instrument a name that differs from all others also where case does not count.

    Args:
        kept: characters, beside letters and digits of ASCII, that a name may have.
    """

    def __init__(self, kept: str) -> None:
        self._other = re.compile(f"[^A-Za-z0-9{re.escape(kept)}]")
        self._taken: set[str] = set()

    def name_of(self, symbol: str, instrument_id: int) -> str:
        """Return the symbol, with ``_`` for characters that are not kept; with the id where that is taken.

        Example, with ``-`` kept: BRK.B gives BRK_B, NA gives NA_, ABCp beside ABCP gives ABCp_17.
        """
        name = self._other.sub("_", symbol)
        if name.upper() in _RESERVED:
            name += "_"
        if name.upper() in self._taken:
            name = f"{name}_{instrument_id}"
        self._taken.add(name.upper())
        return name
