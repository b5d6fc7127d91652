"""The page that `condvest serve` shows at its root, and its drawing of charts in Python."""
