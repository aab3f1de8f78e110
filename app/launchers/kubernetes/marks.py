"""Where a pod's log was read to: its last line by time and content, so that it is found again in any answer.

A pod's log has no offsets: it can be asked for from a whole second on, and its file is renamed as it grows.
So the place is a line: its time to the nanosecond, the CRC of its text, and which of several like it.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Entry = tuple[bytes, bytes]  # a line's time as the cluster writes it, and its text


@dataclass(frozen=True, slots=True)
class Mark:
    """Behind the `ordinal`-th line of time `time` (as the cluster writes it) whose text has this CRC.

    `inside`: only that many bytes of the line were read, and the CRC is theirs; -1: all of it.
    `ends`: of how many streams the end was read (`ends.py`), up to there.
    """

    time: bytes
    crc: int
    ordinal: int
    inside: int = -1
    ends: int = 0

    def text(self) -> str:
        """As a position stores it."""
        return f"{self.time.decode()} {self.crc:08x} {self.ordinal} {self.inside} {self.ends}"

    def covers(self, time: bytes, text: bytes) -> bool:
        """Whether a line is like the one of the mark, which may be the beginning of it."""
        if time != self.time:
            return False
        if self.inside < 0:
            return zlib.crc32(text) == self.crc
        return len(text) >= self.inside and zlib.crc32(text[: self.inside]) == self.crc

    @property
    def second(self) -> str:
        """The whole second of it, from which the log is asked for again."""
        return self.at.replace(microsecond=0).isoformat().replace("+00:00", "Z")

    @property
    def at(self) -> datetime:
        """Its time, to the microsecond."""
        return read_time(self.time)


def read_mark(text: str) -> Mark | None:
    """The mark of a stored position; None for the beginning."""
    if not text:
        return None
    time, crc, ordinal, inside, *ends = text.split(" ")  # those of earlier versions have no ends
    return Mark(time.encode(), int(crc, 16), int(ordinal), int(inside), *map(int, ends))


def read_time(time: bytes) -> datetime:
    """The time of a line. Raises ValueError."""
    text = time.decode("ascii", errors="replace")
    head, dot, rest = text.partition(".")
    if dot:
        digits = rest.rstrip("Z").split("+")[0].split("-")[0]
        text = f"{head}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}"
    return datetime.fromisoformat(text).astimezone(UTC)


def mark_after(entries: Sequence[Entry], before: Mark | None) -> Mark | None:
    """The mark behind these lines, read after the mark `before`, with the ends up to that."""
    if not entries:
        return before
    time, text = entries[-1]
    same = 0
    for other_time, other in reversed(entries):
        if other_time != time:
            break
        same += other == text
    else:  # all have one time: those before may have it, too
        if before is not None and before.time == time and before.covers(time, text) and before.inside < 0:
            same += before.ordinal
    return Mark(time, zlib.crc32(text), same, ends=before.ends if before is not None else 0)
