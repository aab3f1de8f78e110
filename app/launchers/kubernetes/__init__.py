"""Runs jobs as bare pods of a Kubernetes cluster."""
