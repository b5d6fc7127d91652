"""How PostgreSQL is spoken to: connections, binary COPY, small queries."""
