"""The tables in PostgreSQL, step by step, as Alembic runs them; `cxfs.server.upgrading` calls it. Knows no question."""
