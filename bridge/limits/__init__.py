"""Limits of what is stored: budgets of clients, and free space on the disk."""
