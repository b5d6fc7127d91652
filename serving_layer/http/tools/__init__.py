"""The questions of the contract as tools for language models (Model Context Protocol)."""
