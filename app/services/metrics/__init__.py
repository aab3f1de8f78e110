"""Logging metrics and reading them."""
