"""The contract over HTTP, on both databases."""
