"""The experiment file: read, checked, rendered, and told to jobs as variables."""
