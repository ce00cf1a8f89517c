"""The command line: what it prints where, its exit statuses, and that it keeps secrets."""
