"""The batch layer: every session's bars, fetched, archived, loaded and resampled."""
