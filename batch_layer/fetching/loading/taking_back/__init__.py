"""Taking back loads, or all rows of an instrument."""
