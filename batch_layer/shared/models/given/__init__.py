"""What providers and files give, before any check."""
