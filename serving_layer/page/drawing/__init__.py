"""Charts of bars as SVG, pure: the drawing of the page in Python, which writes the same paths."""
