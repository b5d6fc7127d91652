"""What a server answers from, and the states of the data by which it tells answers apart."""
