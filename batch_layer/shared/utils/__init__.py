"""Small tools: the calendar, the clock, logs, retries, prefetching."""
