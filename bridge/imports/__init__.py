"""Imports: an LMS's stored history, applied as if its commits arrived now, each at its original time."""
