"""The tables of the session under way, as the collector writes them."""
