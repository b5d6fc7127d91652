"""The HTTP interface: thin over `condvest.serving_layer.queries`."""
