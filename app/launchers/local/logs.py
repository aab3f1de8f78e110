"""Reads a job's log from its segments, drops what is stored, and mends what a killed runner tore."""

import os
import re
from pathlib import Path

from app.launchers.base import LogBytes, LogPosition
from app.launchers.local.runner.records import END

_HEAD = re.compile(rb"\S+ (stdout|stderr) [FP] ")
_MOST = 128  # bytes of an entry that hold its head
_TAIL = 64 * 1024


def read(folder: Path, position: LogPosition, limit: int) -> LogBytes:
    """Whole entries of one segment from `position`, about `limit` bytes, at least one where there is one."""
    over = (folder / END).exists()  # before anything is read: what comes then is all there will be
    segments = _segments(folder)
    if not segments:
        return LogBytes(b"", position, position, eof=over)
    if position.file < segments[0]:
        position = LogPosition(segments[0])
    for segment in (number for number in segments if number >= position.file):
        start = position if segment == position.file else LogPosition(segment)
        data = _entries(folder / f"log.{segment}", start.offset, limit)
        if data:
            end = LogPosition(segment, start.offset + len(data))
            return LogBytes(data, start, end, eof=False)
        position = start
    return LogBytes(b"", position, position, eof=over)


def ahead(folder: Path, position: LogPosition) -> bool:
    """Whether there is more than was read, or the log is whole; three looks at most."""
    if position.file:
        if _size(f"{folder}/log.{position.file}") > position.offset:
            return True
        more = os.path.exists(f"{folder}/log.{position.file + 1}")  # noqa: PTH110
    else:
        more = bool(_segments(folder))
    return more or os.path.exists(f"{folder}/{END}")  # noqa: PTH110


def last_lines(folder: Path, count: int) -> list[str]:
    """The last whole lines of the newest segment, at most `count` of those in its last 64 KiB."""
    segments = _segments(folder)
    if not segments:
        return []
    path = folder / f"log.{segments[-1]}"
    size = _size(str(path))
    with path.open("rb") as file:
        data = os.pread(file.fileno(), _TAIL, max(0, size - _TAIL))
    lines = [_HEAD.split(entry, maxsplit=1)[-1] for entry in data.split(b"\n")[:-1] if _HEAD.match(entry)]
    return [line.decode("utf-8", "replace").rstrip("\r") for line in lines[-count:]]


def trim(folder: Path, position: LogPosition) -> None:
    """Delete the segments before the position's."""
    for segment in _segments(folder):
        if segment < position.file:
            (folder / f"log.{segment}").unlink(missing_ok=True)


def mend(folder: Path, *, lost: bool = False) -> None:
    """End the last entry that a runner's death tore: a torn head goes, torn text becomes a line.

    `lost`: what followed may have been there, and is gone with the machine's memory. Then torn text goes
    too: the job never printed such a line.
    """
    segments = _segments(folder)
    if not segments:
        return
    with (folder / f"log.{segments[-1]}").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        whole = _after_last_newline(file.fileno(), size)
        if whole == size:
            return
        if not lost and _HEAD.match(os.pread(file.fileno(), _MOST, whole)):
            file.write(b"\n")
        else:
            file.truncate(whole)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except FileNotFoundError:
        return 0


def _segments(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return []
    return sorted(int(name[4:]) for name in names if name.startswith("log.") and name[4:].isdecimal())


def _entries(path: Path, offset: int, limit: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        data = os.pread(descriptor, limit, offset)
        whole = data.rfind(b"\n") + 1
        while not whole and len(data) == limit:  # an entry that is longer than the limit
            limit *= 2
            data = os.pread(descriptor, limit, offset)
            whole = data.find(b"\n") + 1
        return data[:whole]
    finally:
        os.close(descriptor)


def _after_last_newline(descriptor: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - 65536)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
