"""Events and offsets, durable together in one SQLite database."""
