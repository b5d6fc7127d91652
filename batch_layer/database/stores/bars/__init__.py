"""The tables of bars of n sessions."""
