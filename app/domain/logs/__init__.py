"""Log lines: read from a runtime's entries, held as columns, written in the forms that readers ask for."""
