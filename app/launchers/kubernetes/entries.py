"""From the bytes of a pod's log, as the API gives them with timestamps, to entries and the marks behind them.

`TIME TEXT` for each line; both streams of the container in one. What comes out are a container runtime's
entries (`TIME stdout F TEXT`), which `domain/logs/cri.py` reads. A line that is long without an end is given
out in parts. The wrapper's own line (`ends.py`) is counted and taken out.
"""

import re
import zlib
from dataclasses import dataclass, replace
from datetime import datetime

from app.launchers.kubernetes.marks import Entry, Mark, mark_after, read_time

_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)\Z")
_HEAD = 40  # bytes that hold a line's time and the space after it
_LONGEST = 64 * 1024  # of a line without its end, before what is there of it is given out
_OUT_OF_ORDER = 2.0  # seconds: two streams' lines may be written out of their times' order, by far less


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that were read, and the mark behind them. `lost`: between these two times, before them, lines
    may be lost."""

    data: bytes
    mark: Mark | None
    lost: tuple[datetime, datetime] | None = None


class Lines:
    """Feeds on one answer's bytes. `mark` is behind what was given out before, by this or earlier ones.

    With a mark at the start everything up to its line is dropped: the answer begins at the mark's second.
    `end`: the line that the wrapper prints at last.
    """

    def __init__(self, mark: Mark | None, end: str = "") -> None:
        self.mark = mark
        self._end = end.encode()
        self.searching = mark is not None
        self._tail = b""
        self._held: list[Entry] = []  # while its line is searched
        self._seen = 0  # lines like the mark's
        self._begun: bytes | None = None  # the time of a line of which a part was given out

    def feed(self, data: bytes) -> Batch | None:
        """What is new in `data`; None where there is nothing to give out yet."""
        *lines, self._tail = (self._tail + data).split(b"\n")
        out: list[bytes] = []
        entries: list[Entry] = []
        for line in lines:
            if self._begun is not None:
                self._end_part(line, out)
                continue
            entry = _split(line)
            if entry is None:
                continue  # the kubelet's own words, or the rest of a line from before what was asked for
            entries.append(entry)
        if self.searching:
            entries = self._search(entries, out)
        if entries:
            self.mark = mark_after(entries, self.mark)
            self._show(entries, out)
        if not self.searching and len(self._tail) > _LONGEST:
            self._give_part(out)
        return Batch(b"".join(out), self.mark) if out or entries else None

    @property
    def overdue(self) -> bool:
        """Whether the mark's line can't come any more: lines are there that are clearly newer."""
        if not self.searching or not self._held or self.mark is None:
            return False
        newest = max(time for time, _ in self._held[-2:])
        return (read_time(newest) - self.mark.at).total_seconds() > _OUT_OF_ORDER

    @property
    def past(self) -> bool:
        """Whether lines are there that are newer than the mark's, which did not come before them. Where all
        are older it may come yet, in this answer or another: a stream may end in the middle."""
        if not self.searching or not self._held or self.mark is None:
            return False
        return max(read_time(time) for time, _ in self._held[-2:]) > self.mark.at

    def give_up(self) -> Batch | None:
        """The mark's line is not there any more (its file is gone): what is there is new, and lines before it
        may be lost."""
        mark, self.searching = self.mark, False
        held, self._held = self._held, []
        if not held or mark is None:
            return None
        out: list[bytes] = []
        after = mark_after(held, None)
        assert after is not None
        self.mark = replace(after, ends=mark.ends)
        self._show(held, out)
        return Batch(b"".join(out), self.mark, (mark.at, max(mark.at, read_time(held[0][0]))))

    def finish(self) -> Batch | None:
        """The log is whole: a last line without its end is a line."""
        tail, self._tail = self._tail, b""
        if not tail and self._begun is None:
            return None
        self._tail = tail
        return self.feed(b"\n")

    def _search(self, entries: list[Entry], out: list[bytes]) -> list[Entry]:
        """What comes after the mark's line; all is held as long as that was not found."""
        assert self.mark is not None
        for index, (time, text) in enumerate(entries):
            if self.mark.covers(time, text):
                self._seen += 1
                if self._seen == self.mark.ordinal:
                    self._found()
                    if self.mark.inside >= 0:
                        self._begun, inside = time, self.mark.inside
                        self._end_part(text[inside:], out)
                    return entries[index + 1 :]
        self._held += entries
        begun = _split(self._tail) if self.mark.inside >= 0 else None
        if begun is not None and self.mark.covers(*begun):
            self._found()
            self._begun, self._tail = begun[0], begun[1][self.mark.inside :]
        return []

    def _show(self, entries: list[Entry], out: list[bytes]) -> None:
        """Give these out, but not what the wrapper printed."""
        if self._end and any(text.endswith(self._end) for _, text in entries):
            shown = [(time, self._without_end(text)) for time, text in entries]
            entries = [(time, text) for time, text in shown if text is not None]
        out += [b"%s stdout F %s\n" % entry for entry in entries]

    def _without_end(self, text: bytes) -> bytes | None:
        """A line's text but for the wrapper's end, which is counted; None if that is all of it."""
        if not self._end or not text.endswith(self._end):
            return text
        assert self.mark is not None
        self.mark = replace(self.mark, ends=self.mark.ends + 1)
        return text[: -len(self._end)] or None

    def _found(self) -> None:
        self.searching, self._held = False, []

    def _give_part(self, out: list[bytes]) -> None:
        if self._begun is None:
            entry = _split(self._tail)
            if entry is None:
                return
            self._begun, text = entry
            self.mark = Mark(self._begun, 0, 1, 0, self.mark.ends if self.mark is not None else 0)
        else:
            text = self._tail
        until = len(text) - len(self._end)  # what is left may be the beginning of the wrapper's
        out.append(b"%s stdout P %s\n" % (self._begun, text[:until]))
        self._add_part(text[:until])
        self._tail = text[until:]

    def _end_part(self, text: bytes, out: list[bytes]) -> None:
        assert self._begun is not None
        out.append(b"%s stdout F %s\n" % (self._begun, self._without_end(text) or b""))
        self._add_part(text)
        assert self.mark is not None
        self.mark = replace(self.mark, inside=-1)
        self._begun = None

    def _add_part(self, text: bytes) -> None:
        assert self.mark is not None
        crc = zlib.crc32(text, self.mark.crc)
        self.mark = replace(self.mark, crc=crc, inside=self.mark.inside + len(text))


def _split(line: bytes) -> Entry | None:
    """A line's time and text; None where it begins with no time."""
    time, space, _ = line[:_HEAD].partition(b" ")
    if not space or not _TIME.match(time):
        return None
    return time, line[len(time) + 1 :]
