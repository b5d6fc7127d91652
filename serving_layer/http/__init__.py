"""The HTTP interface: thin over `serving_layer.queries`."""
