"""The line with which a job's wrapper ends its log, so that a log that lacks its end is known.

It is printed once on each of the two streams, behind all that the command printed on it. It names the
attempt, so that no command prints it by chance; and it stands whole neither in the container's arguments nor
in its variables, so that no `ps` and no `env` does.
"""

from collections.abc import Iterable

END = "[bunsen] end of "  # and the pod's name
STREAMS = 2


def end_line(name: str) -> str:
    """What the wrapper of the pod of that name prints at last."""
    return END + name


def without_ends(lines: Iterable[str], name: str) -> list[str]:
    """The lines that the pod's command printed. What it printed at last without a newline stands before the
    wrapper's on the same line."""
    end = end_line(name)
    shown = ((line, line.removesuffix(end)) for line in lines)
    return [text for line, text in shown if text or not line]
