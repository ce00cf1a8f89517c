"""Promises kept while everything around the bridge fails: an oracle that knows what was promised, and a judge."""
