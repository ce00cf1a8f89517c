"""Measurements, printed as ratios of one run where machines differ. Never part of the tests."""
