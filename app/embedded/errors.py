"""Why something can't start, in one sentence that a person at a terminal can act on."""


class CannotStart(Exception):
    """The start is refused; the message is one whole sentence without a traceback's details."""
