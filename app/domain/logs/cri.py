"""From a container runtime's log entries (`TIME STREAM F|P TEXT`) to lines, resumable at any byte.

The format is the CRI's (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md):
`F` ends a line, `P` is a part of one that the stream's next entry goes on with. The two streams interleave.

A line ends at `\\n` and at `\\r`; a `\\n` right after a `\\r` ends nothing. Its time is its first entry's.
Bytes that are not UTF-8 become U+FFFD, NUL stays. A line of more than 1 MiB is cut there, at a character's
boundary, and says so; it is given out at once, the rest of it is dropped. What is no entry is kept as a line
of stdout, as it stands, with the time of the entry before it: no bytes that a job wrote are lost silently.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import orjson

from app.domain.logs.blocks import STDERR, STDOUT, LogBlock, concat, time_text

LINE_LIMIT = 1024 * 1024
CUT_NOTE = b" [line cut at 1 MiB]"
EPOCH = b"1970-01-01T00:00:00.000000"

_PIECE = 192 * 1024  # bytes of entries that are parsed at once
_TAIL = 64 * 1024  # of an entry without its end, before its text is taken as it comes
_HEAD = 128  # bytes that hold an entry's head, if it has one

_ENTRY = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)"
    rb" (stdout|stderr) ([FP])(?::[^ ]*)?(?: |\Z)"
)
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_PLAIN = b"0000-00-00T00:00:00.000000000Z stdout F "
_PLAIN_WIDTH = len(_PLAIN)


@dataclass(slots=True)
class _Stream:
    """What is known of a stream's present line."""

    kind: int
    pending: bytearray = field(default_factory=bytearray)
    time: bytes = b""  # of the line's first entry; empty between lines
    after_cr: bool = False
    cut: bool = False


class _Columns:
    """Lines on their way into a block."""

    def __init__(self) -> None:
        self.times: list[bytes] = []
        self.kinds = bytearray()
        self.lines: list[bytes] = []

    def add(self, kind: int, time: bytes, line: bytes) -> None:
        self.times.append(time)
        self.kinds.append(kind)
        self.lines.append(line)

    def block(self, job: int | None) -> LogBlock:
        text = _valid(b"".join([line + b"\n" for line in self.lines]))
        return LogBlock(len(self.lines), b"".join(self.times), bytes(self.kinds), text, (job,))


class CriParser:
    """Feeds on entries, gives lines. What it holds between feeds is `state()`, from which a new one goes on.

    Store a feed's lines, the position after its bytes and the state in one transaction, and each line is
    stored once, however often the reading stops. The bytes may be split anywhere, not only between entries.
    """

    def __init__(self, job: int | None, state: bytes = b"") -> None:
        self._job = job
        self._last = EPOCH
        self._tail = b""
        self._open: tuple[int, bytes, bool] | None = None  # stream, time, ends: of an entry that goes on
        self._streams = [_Stream(STDOUT), _Stream(STDERR), _Stream(STDOUT)]  # the third: what is no entry
        if state:
            self._restore(state)

    def feed(self, data: bytes) -> LogBlock:
        """The lines that end in `data`."""
        blocks: list[LogBlock] = []
        if self._open is not None:
            data = self._go_on(data, blocks)
        data = self._tail + data
        end = data.rfind(b"\n") + 1
        start = 0
        while start < end:
            stop = end if end - start <= _PIECE else data.rfind(b"\n", start, start + _PIECE) + 1
            stop = stop or data.index(b"\n", start) + 1
            piece = data[start:stop]
            blocks.append(self._fast(piece) or self._slow(piece))
            start = stop
        self._tail = data[end:]
        if len(self._tail) > _TAIL:
            self._begin_open(blocks)
        return self._join(blocks)

    def finish(self) -> LogBlock:
        """The log is over: what is left is its last line, of each stream."""
        out = _Columns()
        if self._tail:
            self._entry(self._tail, out)
        for stream in self._streams:
            if stream.time and not stream.cut:
                self._end(stream, stream.time, out)
        return out.block(self._job)

    def state(self) -> bytes:
        """What a new parser needs to go on from here; a few bytes, unless a line is half read."""
        streams = [(s.time.decode(), s.after_cr, s.cut, len(s.pending)) for s in self._streams]
        opened = None if self._open is None else (self._open[0], self._open[1].decode(), self._open[2])
        head = orjson.dumps([self._last.decode(), opened, streams])
        return b"\n".join((head, b"".join(s.pending for s in self._streams) + self._tail))

    def _restore(self, state: bytes) -> None:
        head, _, rest = state.partition(b"\n")
        last, opened, streams = orjson.loads(head)
        self._last = last.encode()
        self._open = None if opened is None else (opened[0], opened[1].encode(), opened[2])
        for stream, (time, after_cr, cut, size) in zip(self._streams, streams, strict=True):
            stream.time, stream.after_cr, stream.cut = time.encode(), after_cr, cut
            stream.pending, rest = bytearray(rest[:size]), rest[size:]
        self._tail = rest

    def _join(self, blocks: list[LogBlock]) -> LogBlock:
        return concat(blocks) if blocks else _Columns().block(self._job)

    def _fast(self, piece: bytes) -> LogBlock | None:
        """Whole lines as nearly all are: nothing pending, all `F`, nine digits, UTC. None if they are not."""
        if len(piece) > LINE_LIMIT or any(s.time or s.after_cr or s.cut for s in self._streams):
            return None
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n")
            if b"\r" in piece:
                return None
        lines = piece.split(b"\n")
        lines.pop()
        count = len(lines)
        heads = b"".join([line[:_PLAIN_WIDTH] for line in lines])
        shape = heads.translate(_DIGITS)
        if b" stderr F " in shape:
            shape = shape.replace(b" stderr F ", b" stdout F ")
        if shape != _PLAIN * count or not all(map(_is_time, {line[:19] for line in lines})):
            return None
        text = _valid(b"\n".join([line[_PLAIN_WIDTH:] for line in lines]) + b"\n")
        times = bytearray(26 * count)
        for column in range(26):
            times[column::26] = heads[column::_PLAIN_WIDTH]
        self._last = bytes(times[-26:])
        kinds = heads[34::_PLAIN_WIDTH]  # the first letter that tells stdout from stderr: o, e
        return LogBlock(count, bytes(times), kinds, text, (self._job,))

    def _slow(self, piece: bytes) -> LogBlock:
        out = _Columns()
        for entry in piece.split(b"\n")[:-1]:
            self._entry(entry, out)
        return out.block(self._job)

    def _entry(self, entry: bytes, out: _Columns) -> None:
        place, time, ends, begin = self._head(entry)
        self._add(self._streams[place], time, entry[begin:], ends, out)

    def _head(self, entry: bytes) -> tuple[int, bytes, bool, int]:
        """An entry's stream, time, whether it ends a line, and where its text begins."""
        match = _ENTRY.match(entry)
        if match is not None:
            second, fraction, zone, stream, tag = match.groups()
            time = _normal(second, fraction or b"", zone)
            if time:
                self._last = time
                return stream == b"stderr", time, tag == b"F", match.end()
        return 2, self._last, True, 0

    def _begin_open(self, blocks: list[LogBlock]) -> None:
        """Take the text of an entry whose end has not come, so that its length needs no memory."""
        place, time, ends, begin = self._head(self._tail)
        out = _Columns()
        self._add(self._streams[place], time, self._tail[begin:], False, out)
        blocks.append(out.block(self._job))
        self._open, self._tail = (place, time, ends), b""

    def _go_on(self, data: bytes, blocks: list[LogBlock]) -> bytes:
        """Take the open entry's text; gives what comes after it."""
        assert self._open is not None
        place, time, ends = self._open
        text, newline, rest = data.partition(b"\n")
        out = _Columns()
        self._add(self._streams[place], time, text, bool(newline) and ends, out)
        blocks.append(out.block(self._job))
        if newline:
            self._open = None
        return rest

    def _add(self, stream: _Stream, time: bytes, text: bytes, ends: bool, out: _Columns) -> None:
        if stream.after_cr:
            if not text:
                stream.after_cr = not ends
                return
            stream.after_cr = False
        *whole, last = text.split(b"\r")
        for part in whole:
            self._grow(stream, time, part, out)
            self._end(stream, time, out)
        if whole and not last:
            stream.after_cr = not ends
        else:
            self._grow(stream, time, last, out)
            if ends:
                self._end(stream, time, out)

    def _grow(self, stream: _Stream, time: bytes, part: bytes, out: _Columns) -> None:
        if stream.cut or not part:
            return
        stream.time = stream.time or time
        room = LINE_LIMIT - len(stream.pending)
        stream.pending += part[:room]
        if len(part) > room:
            out.add(stream.kind, stream.time, _whole_characters(stream.pending) + CUT_NOTE)
            stream.pending.clear()
            stream.cut = True

    def _end(self, stream: _Stream, time: bytes, out: _Columns) -> None:
        if not stream.cut:
            out.add(stream.kind, stream.time or time, bytes(stream.pending))
        stream.pending.clear()
        stream.time, stream.cut = b"", False


def posted_lines(job: int | None, time: datetime, texts: Iterable[str]) -> LogBlock:
    """Lines that came as text, all at one time: those that a tracker posts. Each text may hold several."""
    head = time_text(time) + b"000Z stdout F "
    lines = [
        line for text in texts for line in text.removesuffix("\n").encode(errors="surrogatepass").split(b"\n")
    ]
    return CriParser(job).feed(b"".join(head + line + b"\n" for line in lines))


def _valid(text: bytes) -> bytes:
    """UTF-8, with U+FFFD for what is none."""
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


def _whole_characters(text: bytearray) -> bytes:
    """Without the beginning of a character that its end cuts in two."""
    for back in range(1, 4):
        byte = text[-back]
        if byte >= 0xC0:
            width = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2
            return bytes(text[:-back] if width > back else text)
        if byte < 0x80:
            break
    return bytes(text)


@lru_cache(maxsize=1024)
def _is_time(second: bytes) -> bool:
    try:
        datetime.fromisoformat(second.decode())
    except ValueError:
        return False
    return True


def _normal(second: bytes, fraction: bytes, zone: bytes) -> bytes:
    """26 bytes in UTC, or none if there is no such time."""
    if not _is_time(second):
        return b""
    if zone not in (b"Z", b"+00:00", b"-00:00"):
        second = _in_utc(second, zone)
    return second + b"." + fraction.ljust(6, b"0")[:6] if second else b""


@lru_cache(maxsize=1024)
def _in_utc(second: bytes, zone: bytes) -> bytes:
    try:
        time = datetime.fromisoformat((second + zone).decode()).astimezone(UTC)
    except (ValueError, OverflowError):
        return b""
    return time.replace(tzinfo=None).isoformat().encode()
