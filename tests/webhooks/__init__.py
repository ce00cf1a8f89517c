"""Webhooks: every event reaches its endpoint, in the order of its enrollment, whatever the receiver does."""
