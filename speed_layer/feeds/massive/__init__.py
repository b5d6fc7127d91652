"""Massive's stream and snapshots of the session under way."""
