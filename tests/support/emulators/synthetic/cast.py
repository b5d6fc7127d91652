"""The cast: instruments with a fate that every market of any size must show.

The crowd around them is drawn at random; these stand first, so that even a small market has the renames,
reuses, splits and odd tickers that break clients. Places in time are fractions of the market's sessions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """One instrument of the cast.

    Attributes:
        ticker: its first ticker.
        renames: (when, new ticker), ascending.
        splits: (when, split_from, split_to), ascending.
        begins, ends: first session, and the one after the last; 0 and 1 for always.
        price: near its first price.
        pays: whether it pays dividends each quarter.
        has_figi: whether the vendor knows its FIGI.
        kind: the vendor's type code.
        halted: (from, to) when it does not trade.
    """

    ticker: str
    renames: tuple[tuple[float, str], ...] = ()
    splits: tuple[tuple[float, float, float], ...] = ()
    begins: float = 0.0
    ends: float = 1.0
    price: float = 40.0
    pays: bool = False
    has_figi: bool = True
    kind: str = "CS"
    halted: tuple[float, float] | None = None


CAST = (
    # FB became META; the META before it is another company, by then METV.
    Role("FB", renames=((0.5, "META"),), price=200.0, pays=True),
    Role("META", renames=((0.3, "METV"),), price=15.0, kind="ETF"),
    Role("AAPL", splits=((0.6, 1, 4),), price=400.0, pays=True),
    Role("MSFT", splits=((0.25, 1, 2), (0.8, 2, 3)), price=300.0, pays=True),
    Role("GE", splits=((0.7, 8, 1),), price=12.0, pays=True),
    Role("TR", splits=((0.55, 1, 1.03),), price=30.0, pays=True),
    # One ticker, two companies, a gap between.
    Role("ASTR", ends=0.35, price=3.0, has_figi=False),
    Role("ASTR", begins=0.6, price=25.0),
    # Tickers that differ in case alone.
    Role("KIM", price=20.0, pays=True),
    Role("KIMpL", price=25.0, pays=True, kind="PFD"),
    Role("KIMPL", price=9.0, has_figi=False),
    # Tickers that careless readers take for a missing or a true value.
    Role("TRUE", price=7.0),
    Role("NA", price=4.0, has_figi=False),
    Role("NAN", price=13.0, kind="FUND"),
    Role("BRK.B", price=350.0),
    Role("ANTM", renames=((0.2, "ELV"), (0.7, "ELVH")), price=250.0),
    # On one session SWAP takes a new name and another company takes the name SWAP.
    Role("SWAP", renames=((0.45, "SWAQ"),), price=18.0),
    Role("SWPB", renames=((0.45, "SWAP"),), price=60.0),
    Role("RDDT", begins=0.5, price=34.0),
    Role("BBBY", ends=0.65, price=6.0, has_figi=False),
    Role("SIVB", ends=0.56, price=250.0, halted=(0.4, 0.55)),
    # A reverse split and a rename on one session; two splits a few sessions apart.
    Role("MULN", renames=((0.75, "BINI"),), splits=((0.75, 100, 1),), price=0.3),
    Role("TOPS", splits=((0.3, 7, 1), (0.38, 20, 1)), price=0.8),
)
