"""Loading payloads: archive the bytes, judge the rows, store them in one transaction."""
