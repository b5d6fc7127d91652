"""The fetching component: from a vendor to the database."""
