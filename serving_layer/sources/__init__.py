"""Where answers are read from: the database, or a published data set."""
