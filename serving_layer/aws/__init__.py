"""The serving layer as a function of AWS, behind an HTTP API."""
