"""The serving layer: reads and answers, writes nothing."""
