"""Massive (formerly Polygon.io) over a synthetic market: REST and flat files."""

from tests.support.emulators.massive.server import KEY, MassiveEmulator

__all__ = ["KEY", "MassiveEmulator"]
