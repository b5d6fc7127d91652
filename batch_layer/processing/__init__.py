"""The processing component: from daily bars to bars of n sessions."""
