"""PURE: what the vendor's messages say of the session under way, and what becomes of it."""
