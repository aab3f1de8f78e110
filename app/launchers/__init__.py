"""What turns a run's spec into processes or pods, and says how they are."""
