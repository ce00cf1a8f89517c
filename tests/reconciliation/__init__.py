"""Comparing the ledger with LRSs, and moving from one to another."""
