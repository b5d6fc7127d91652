"""What the components share: errors, settings, models, clients."""
