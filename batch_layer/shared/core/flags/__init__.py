"""What looks wrong in a series of daily bars. Pure."""
