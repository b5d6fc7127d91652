"""The operations behind the commands, and the wiring that gives them an open database."""
