"""Pure rules: no database, HTTP, cluster or disk."""
