"""Instruments: their providers, symbols and metadata."""
