"""What an uploaded tar.gz holds, entry by entry: bounded time and memory, whatever was sent.

Not the standard library's reader: that takes an extended head of any size into memory, and follows heads
within heads by recursion. Formats: V7, ustar, GNU's long names, pax.
"""

import gzip
import re
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from isal import igzip, isal_zlib

from app.errors import BadInput, Place

_BLOCK = tarfile.BLOCKSIZE
_READ = 256 * 1024
_HEAD_LIMIT = 1024 * 1024  # of one extended head
_HEADS_LIMIT = 256 * 1024 * 1024  # of all heads together, and of what comes after the end
_LONG_NAMES = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_RECORD = re.compile(rb"(\d{1,8}) ([^=]{1,200})=")
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """How much an upload may hold, in bytes and entries."""

    packed: int = 512 * 1024**2
    unpacked: int = 4 * 1024**3
    entries: int = 100_000


def bad_archive(message: str, name: str | None = None) -> BadInput:
    """The error for an archive, or for one entry of it."""
    if name is None:
        return BadInput(f"The archive {message}.", code="bad_archive", errors=[Place(("repo",), message)])
    shown = name[:200].encode(errors="replace").decode()
    return BadInput(
        f"The archive's entry {shown!r} {message}.",
        code="bad_archive",
        errors=[Place(("repo", shown.replace("\0", "\ufffd")), message)],
    )


class TarReader:
    """The entries of a tar.gz, one after the other; to be used in a `with`. Every call may raise BadInput."""

    def __init__(self, path: Path, limits: CodeLimits) -> None:
        if path.stat().st_size > limits.packed:
            raise bad_archive(f"is larger than {limits.packed} bytes")
        self._file = igzip.open(path, "rb")  # type: ignore[no-untyped-call]
        self._limits = limits
        self._room = limits.unpacked
        self._head_room = _HEADS_LIMIT
        self._rest = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def entries(self) -> Iterator[tarfile.TarInfo]:
        """Every entry, with its long name. The contents of a regular file must be read before the next."""
        extended: dict[str, bytes] = {}
        while (block := self._head_block()).strip(b"\0"):
            entry = _head(block)
            if entry.type in _PAX or entry.type in _LONG_NAMES or entry.type == tarfile.XGLTYPE:
                data = self._extended(entry.size)
                if entry.type in _PAX:
                    extended.update(_records(data))
                elif entry.type in _LONG_NAMES:
                    extended[_LONG_NAMES[entry.type]] = data.rstrip(b"\0")
                continue
            _extend(entry, extended)
            extended = {}
            if not entry.isreg():
                entry.size = 0
            elif entry.size > self._room:
                raise bad_archive(f"unpacks to more than {self._limits.unpacked} bytes")
            self._room -= entry.size
            self._rest = entry.size
            yield entry
            self._exactly(-entry.size % _BLOCK)
        self._drain()

    def contents(self) -> Iterator[bytes]:
        """The contents of the present entry."""
        while self._rest:
            data = self._exactly(min(self._rest, _READ))
            self._rest -= len(data)
            yield data

    def _extended(self, size: int) -> bytes:
        if size > _HEAD_LIMIT:
            raise bad_archive("has a head that is too long")
        self._count(size)
        return self._exactly(size + -size % _BLOCK)[:size]

    def _head_block(self) -> bytes:
        """The next head; nothing where the archive ends, be it without saying so."""
        block = self._read(_BLOCK)
        if block:
            self._count(_BLOCK)
            block += self._exactly(_BLOCK - len(block))
        elif self._head_room == _HEADS_LIMIT:
            raise bad_archive("is empty")
        return block

    def _drain(self) -> None:
        """Read on to the end, so that the checksum of all is seen to be right."""
        while data := self._read(_READ):
            self._count(len(data))

    def _count(self, size: int) -> None:
        self._head_room -= size
        if self._head_room < 0:
            raise bad_archive("has too much in it that is no contents")

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            data = self._read(size)
            if not data:
                raise bad_archive("is cut short")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)  # type: ignore[no-any-return]
        except (EOFError, isal_zlib.error) as error:  # type: ignore[misc]
            raise bad_archive("is no whole tar.gz: it is cut short or damaged") from error
        except gzip.BadGzipFile as error:
            raise bad_archive("is no tar.gz, or damaged") from error


def _head(block: bytes) -> tarfile.TarInfo:
    try:
        entry = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise bad_archive("is no tar.gz, or damaged") from error
    name, target = _text(block[:100]), _text(block[157:257])
    if "\0" in name:  # tarfile cuts there: another name than its sender's
        entry.name = name
    if "\0" in target:
        entry.linkname = target
    if entry.size < 0:
        raise bad_archive("has a negative size", entry.name)
    return entry


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode(errors="surrogateescape")


def _extend(entry: tarfile.TarInfo, extended: dict[str, bytes]) -> None:
    """Give an entry what the heads before it say of it."""
    for key, value in extended.items():
        text = value.decode(errors="surrogateescape")
        if key == "path":
            entry.name = text
        elif key == "linkpath":
            entry.linkname = text
        elif key == "size":
            if not (value.isdigit() and len(value) < 20):
                raise bad_archive("has a size that is none", entry.name)
            entry.size = int(value)
        elif key == "mtime":
            with suppress(ValueError, OverflowError):
                entry.mtime = int(float(value))
        elif key.startswith("GNU.sparse."):
            entry.type = tarfile.GNUTYPE_SPARSE


def _records(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The records `LENGTH KEY=VALUE\n` of a pax head."""
    at = 0
    while at < len(data):
        match = _RECORD.match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise bad_archive("has a damaged head")
        yield match[2].decode(errors="replace"), data[match.end() : end - 1]
        at = end
