"""The program beside each job: standard library only, loaded whole at its start, independent of the service."""
