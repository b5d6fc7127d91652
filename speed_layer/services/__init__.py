"""What the commands do: collect, settle, replay, tell the status."""
