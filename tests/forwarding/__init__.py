"""Forwarding: every statement reaches the LRS once and in order, whatever the LRS and the way to it do."""
