"""Other programs' protocols, translated to ours and back. Pure."""
