"""What stands between a client and the answers: hosts, keys, quotas, bounds, and the line of log."""
