"""Queries on experiments, a file a verb."""
