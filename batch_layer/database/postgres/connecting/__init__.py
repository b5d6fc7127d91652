"""Connections to PostgreSQL: made, kept, waited for, and what their errors mean."""
