"""What the columns of a file are called and mean."""
