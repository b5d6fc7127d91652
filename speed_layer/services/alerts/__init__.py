"""Alert rules over the session under way, their verdicts and their delivery."""
