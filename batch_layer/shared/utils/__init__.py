"""Small tools in three topics: calendar, retry, logging."""
