"""From a file to its bytes, bounded."""
