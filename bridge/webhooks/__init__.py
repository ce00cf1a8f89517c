"""Webhooks: tells LMSs what became of their learners, in the order it came about and until they have taken it.

Events are stored in the transaction of what they are of; a worker for each endpoint sends them.
"""
