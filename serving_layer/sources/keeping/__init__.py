"""What sources keep in memory between questions, bounded, and never beyond its state of the data."""
