"""The wiring of the speed layer: settings to a feed, and the batch layer's rules to the collector."""
