"""Requests to Massive and its bucket."""
