"""What the reconciler loads: only what is live, waiting or to be removed, through partial indexes."""
