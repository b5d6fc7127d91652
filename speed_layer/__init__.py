"""The session under way: collected, told beside the daily bars, held against the official bars afterwards."""
