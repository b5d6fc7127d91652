"""Where running bars go for readers on other machines."""
