"""Firings, verdicts and ticks as they come, by server-sent events and over a websocket."""
