"""What real content did, as it was reported, and what must come of it."""
