"""PURE: alert rules: their language, what of them may vanish again, and how they are evaluated."""
