"""Whose a symbol is, and which rows change hands with it. Pure."""
