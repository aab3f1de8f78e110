"""Measures the operations of the service beside their bare limits, in one run. No tests."""
