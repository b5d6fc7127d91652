"""The tables of daily bars, of provisional ones, and of rows that are in doubt or refused."""
