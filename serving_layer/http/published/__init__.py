"""Published files over HTTP: whole or in parts, from a directory or a bucket."""
