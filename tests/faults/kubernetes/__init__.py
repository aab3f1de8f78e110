"""Faults of clusters."""
