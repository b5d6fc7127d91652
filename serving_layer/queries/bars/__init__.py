"""Questions about bars: what is asked, how much it would be, and the answer."""
