"""What the audit pages and commands ask of the database."""
