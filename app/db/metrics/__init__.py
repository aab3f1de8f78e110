"""Queries on metrics."""
