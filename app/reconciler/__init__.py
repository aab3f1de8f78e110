"""The loop that makes what is there follow what is wanted."""
