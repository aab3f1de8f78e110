"""What the service carries with it: a Postgres of its own, and the programs that other users must run."""
