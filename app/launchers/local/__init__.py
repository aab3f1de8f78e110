"""Runs as processes of this machine, each job beside a small runner that outlives the service."""
