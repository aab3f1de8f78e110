"""Bytes that outlive a run: logs, outputs, code archives."""
