"""Where messages come from: a vendor, or the journal of what it sent."""
