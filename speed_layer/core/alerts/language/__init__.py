"""The language of alert rules: from the text of a condition to its tree, and what the tree reads."""
