"""Imports of LMSs' histories."""
