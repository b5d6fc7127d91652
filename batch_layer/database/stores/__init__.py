"""Reads and writes of the database's tables, one module per family of tables."""
