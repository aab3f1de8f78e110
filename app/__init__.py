"""Bunsen: launch, follow and keep machine-learning experiments."""
