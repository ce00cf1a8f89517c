"""What a client may store, and when nothing is stored any more: budgets, and the space that is left on the disk."""
