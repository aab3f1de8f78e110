"""Why a job is being ended, and until when it may end by itself."""

import time


class Ending:
    """`reason` is stopped, timeout, out_of_memory, start_failed, runner_ended, or what a request named."""

    __slots__ = ("kill_at", "message", "reason", "used")

    def __init__(
        self, reason: str, grace: float = 0.0, *, message: str | None = None, used: int | None = None
    ) -> None:
        self.reason = reason
        self.kill_at = time.monotonic() + grace
        self.message = message
        self.used = used

    def expired(self) -> bool:
        """Whether the grace is over, so that what still lives is killed."""
        return time.monotonic() >= self.kill_at

    def shorten(self, other: "Ending") -> None:
        """Take over the other's time if it is sooner; the reason stays."""
        self.kill_at = min(self.kill_at, other.kill_at)
