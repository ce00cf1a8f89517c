"""The audit pages: for people who want to know why, and what if."""
