"""Budgets, free disk space, and what is said of them."""
