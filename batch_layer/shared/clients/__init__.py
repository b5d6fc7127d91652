"""Clients of the world outside: providers of bars, the archive."""
