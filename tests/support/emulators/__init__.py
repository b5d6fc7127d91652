"""Emulators of the vendors: real HTTP servers over a synthetic market whose truth is known."""
