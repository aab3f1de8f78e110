"""Logs between their store and their readers: opened, posted, read, followed."""
