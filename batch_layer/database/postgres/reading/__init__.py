"""Ways to read many rows of PostgreSQL at once: by spans, by ranges, by keys, packed into few values."""
