"""The HTTP edge: dependencies, schemas, routes."""
