"""The tables of loads: what was loaded, taken back, and rebuilt."""
