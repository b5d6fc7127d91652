"""Questions about the stored data, each answered from one state of it."""
