"""The storage: what is written is kept, whole and in order, on SQLite and on PostgreSQL."""
