"""The commands, one module per family; each module's ``COMMANDS`` are its commands."""
