"""The program beside each job: the standard library alone, loaded whole at its start."""
