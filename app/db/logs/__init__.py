"""Queries on logs: their state and lines, what the collector stores, what is complete."""
