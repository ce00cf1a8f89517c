"""Attacks on a running bridge: what a hostile client, learner, LRS or stranger at the sign-in may try."""
