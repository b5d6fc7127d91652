"""The vocabulary as frozen, typed columns: sessions, bars, corporate actions, payloads."""
