"""Yahoo's stream and quotes of the session under way."""
