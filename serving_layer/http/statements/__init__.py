"""SQL over HTTP, where the server has it."""
