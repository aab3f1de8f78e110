"""A finished log as one file: zstd frames of at most 1 MiB of text, then an index: any line is one read away.

    4 bytes    "BLO1"
    frames     one after the other (log_frames.py)
    index      a zstd frame of JSON: {"first_seq": n, "frames": [[offset, size, count, first_time, last_time,
               [[job, count], …] or null], …]}
    footer     uint64 offset and uint32 size of the index, uint32 CRC-32 of both and the index, "BLO1"

It is written under another name, fsynced and renamed: an object that is there is whole.
"""

import os
import re
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import orjson

from app.domain.logs.blocks import LogBlock, read_time, regroup, time_text
from app.domain.logs.frames import FrameInfo, describe, tail_start
from app.errors import NotFound
from app.storage.files import DurableFile, parts, sync_folder
from app.storage.log_frames import DamagedLog, decode_frame, encode_frame, pack, unpack

FRAME_TEXT = 1024 * 1024
FRAME_LINES = 32768

_MAGIC = b"BLO1"
_FOOTER = struct.Struct("<QII4s")
_INDEX_LIMIT = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class LogObjectFacts:
    """A written object: its size in bytes, and the lines that it holds."""

    size: int
    first_seq: int
    count: int


class LogObjectWriter(Protocol):
    """An object in the making. Blocking: call in a thread. Left without `commit`, nothing of it stays."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def add(self, first_seq: int, frame: bytes) -> None:
        """The next lines, as they were stored. Raises InsufficientStorage; DamagedLog, also for a hole."""

    def commit(self) -> LogObjectFacts:
        """Make it what its key names, in the place of one that was there. It is durable when this returns.

        Raises InsufficientStorage.
        """


class LogObjectStore(Protocol):
    """Where finished logs are kept, by a key (the uuid of whose log it is). Blocking: call in a thread."""

    def clean(self) -> None:
        """Remove what writers that died left. Only while nobody writes."""

    def create(self, key: str) -> LogObjectWriter:
        """Begin the object of `key`; to be used in a `with`. Raises InsufficientStorage."""

    def open(self, key: str) -> "LogObject":
        """The object of `key`, to be closed. Raises NotFound, DamagedLog."""

    def delete(self, key: str) -> None:
        """Remove the object; there may be none. Who has it open reads on."""


class LogObject:
    """An open object. Its memory is its index and, while one is read, a frame; threads may share it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._places: list[tuple[int, int]] = []
        self.frames: list[FrameInfo] = []
        self.size = os.fstat(descriptor).st_size
        self.first_seq = self._read_index()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    @property
    def next_seq(self) -> int:
        """One more than the seq of the last line."""
        return self.frames[-1].next_seq if self.frames else self.first_seq

    def read(self, place: int) -> LogBlock:
        """The lines of `frames[place]`. Raises DamagedLog."""
        block = decode_frame(self._pread(*self._places[place]))
        if block.count != self.frames[place].count:
            raise DamagedLog("A stored piece of the log is not the one that its index names.")
        return block

    def blocks(
        self, start: int = 0, *, job: int | None = None, since: datetime | None = None
    ) -> Iterator[tuple[int, LogBlock]]:
        """Blocks with their first seq, from the one that holds line `start`; without those that hold no
        line of the job, or none that is late enough. `select` finds the lines in them. Raises DamagedLog.
        """
        first = bisect_right(self.frames, start, key=lambda info: info.first_seq) - 1
        for place in range(max(first, 0), len(self.frames)):
            if self.frames[place].may_hold(start, job, since):
                yield self.frames[place].first_seq, self.read(place)

    def tail_start(self, lines: int, *, job: int | None = None, since: datetime | None = None) -> int:
        """The seq at which the last `lines` lines (of a job, not before a time) begin. Raises DamagedLog."""
        return tail_start(self._newest_first(), lines, job=job, since=since)

    def _newest_first(self) -> Iterator[tuple[FrameInfo, Callable[[], LogBlock]]]:
        for place in reversed(range(len(self.frames))):
            yield self.frames[place], partial(self.read, place)

    def _read_index(self) -> int:
        at = self.size - _FOOTER.size
        if at < len(_MAGIC):
            raise DamagedLog("A stored log is cut short.")
        footer = self._pread(at, _FOOTER.size)
        offset, size, checksum, magic = _FOOTER.unpack(footer)
        if magic != _MAGIC or offset + size != at:
            raise DamagedLog("A stored log is cut short or damaged at its end.")
        packed = self._pread(offset, size)
        if zlib.crc32(packed, zlib.crc32(footer[:12])) != checksum:
            raise DamagedLog("A stored log's index is damaged.")
        index = orjson.loads(unpack(packed, _INDEX_LIMIT))
        seq: int = index["first_seq"]
        for begin, length, count, first, last, jobs in index["frames"]:
            counts = None if jobs is None else tuple((job, number) for job, number in jobs)
            self._places.append((begin, length))
            self.frames.append(
                FrameInfo(seq, count, read_time(first.encode()), read_time(last.encode()), counts)
            )
            seq += count
        return int(index["first_seq"])

    def _pread(self, offset: int, size: int) -> bytes:
        parts = []
        while size > 0:
            part = os.pread(self._descriptor, size, offset)
            if not part:
                raise DamagedLog("A stored log is cut short.")
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts)


class LocalLogObjects:
    """The store in a folder: `aa/KEY.log`, where `aa` begins the key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clean(self) -> None:
        """Remove what a writer that died left. Only while nobody writes."""
        for part in parts(self._folder, "*/*"):
            part.unlink(missing_ok=True)

    def create(self, key: str) -> LogObjectWriter:
        return LocalLogObjectWriter(DurableFile(self._path(key), "The log can't be stored"))

    def open(self, key: str) -> LogObject:
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound("There is no stored log of this name.") from error
        try:
            return LogObject(descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def delete(self, key: str) -> None:
        path = self._path(key)
        if path.exists():
            path.unlink(missing_ok=True)
            sync_folder(path.parent)

    def _path(self, key: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_-]{2,100}", key):
            raise ValueError("not a key of a log")
        return self._folder / key[:2] / f"{key}.log"


class LocalLogObjectWriter:
    """Joins small frames, and writes them as they fill: its memory is a frame or two."""

    def __init__(self, file: DurableFile) -> None:
        self._file = file
        self._held: list[LogBlock] = []
        self._held_text = self._held_lines = 0
        self._first_seq: int | None = None
        self._next_seq = self._written_seq = 0
        self._index: list[tuple[object, ...]] = []
        file.write(_MAGIC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.abort()

    def add(self, first_seq: int, frame: bytes) -> None:
        if self._first_seq is None:
            self._first_seq = self._next_seq = self._written_seq = first_seq
        if first_seq != self._next_seq:
            raise DamagedLog(f"Line {self._next_seq} of the log is missing in the store.")
        block = decode_frame(frame)
        self._next_seq += block.count
        self._held.append(block)
        self._held_text += len(block.text)
        self._held_lines += block.count
        if self._held_text > FRAME_TEXT or self._held_lines > FRAME_LINES:
            *full, rest = regroup(self._held, FRAME_TEXT, FRAME_LINES)
            self._write(full)
            self._held, self._held_text, self._held_lines = [rest], len(rest.text), rest.count

    def commit(self) -> LogObjectFacts:
        self._write(regroup(self._held, FRAME_TEXT, FRAME_LINES))
        first = self._first_seq or 0
        at = self._file.size
        packed = pack(orjson.dumps({"first_seq": first, "frames": self._index}))
        place = struct.pack("<QI", at, len(packed))
        self._file.write(packed + place + struct.pack("<I4s", zlib.crc32(packed, zlib.crc32(place)), _MAGIC))
        self._file.commit()
        return LogObjectFacts(self._file.size, first, self._next_seq - first)

    def _write(self, blocks: Iterable[LogBlock]) -> None:
        for block in blocks:
            info = describe(block, self._written_seq)
            frame = encode_frame(block)
            self._index.append(
                (
                    self._file.size,
                    len(frame),
                    info.count,
                    _text(info.first_time),
                    _text(info.last_time),
                    info.jobs,
                )
            )
            self._file.write(frame)
            self._written_seq = info.next_seq


def _text(time: datetime) -> str:
    return time_text(time).decode()
