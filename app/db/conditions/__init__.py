"""The search language as SQL over the experiments table."""
