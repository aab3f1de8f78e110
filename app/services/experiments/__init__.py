"""What people do with experiments, a file a verb."""
