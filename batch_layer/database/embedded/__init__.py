"""The embedded PostgreSQL server: started on demand, stopped by the last command that uses it."""
