"""The tables of instruments: which there are, what is known of them, who carried which symbol."""
