"""The database component: server, schema, stores."""
