"""From what jobs print to stored lines, and from stored lines to one object for each finished log."""
