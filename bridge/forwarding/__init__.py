"""Forwarding: sends the outbox to the LRSs, in order, for as long as it takes."""

from __future__ import annotations
