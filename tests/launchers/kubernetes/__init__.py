"""The launcher for a cluster: what is pure in tables, all else on a real cluster."""
