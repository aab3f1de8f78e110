"""What experiments leave behind: archived, listed, sent, copied and deleted, whatever a job put there."""

import asyncio
import heapq
import os
import stat
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from app.errors import NotFound
from app.storage.beneath import Beneath, Entry, NotThere, entries
from app.storage.files import part_of
from app.storage.output_names import read_name, write_name
from app.storage.outputs_archive import FileShrank, write_archive
from app.storage.thread_streams import stream_from_thread
from app.storage.trees import copy_tree, delete_parts

_READ = 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = (
    (time - _EPOCH) // timedelta(microseconds=1)
    for time in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
)


@dataclass(frozen=True, slots=True)
class OutputEntry:
    """A file or folder: its path from the outputs' folder, as `output_names` writes it, and its size in bytes
    (of a folder 0)."""

    path: str
    size: int
    modified_at: datetime
    is_dir: bool


@dataclass(frozen=True, slots=True)
class OutputPage:
    """A page of a folder, and how many entries the folder has."""

    count: int
    entries: list[OutputEntry]


class OutputFile:
    """An open file, of the size that it had when it was opened."""

    def __init__(self, descriptor: int, name: str) -> None:
        status = os.fstat(descriptor)
        self._descriptor = descriptor
        self.name = name
        self.size = status.st_size
        self.modified_at = _time(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be repeated."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes, which must lie within its size. Raises FileShrank when they are gone."""
        data = os.pread(self._descriptor, size, offset)
        if len(data) < size:
            raise FileShrank(self.name)
        return data

    async def stream(self, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Bytes `start` up to `stop` (its end), in pieces of 1 MiB. Closes it. Raises FileShrank."""
        with self:
            stop = self.size if stop is None else stop
            while start < stop:
                data = await asyncio.to_thread(self.read, start, min(_READ, stop - start))
                yield data
                start += len(data)


class Outputs:
    """Outputs in folders of `folder`, each by the uuid of whose they are. Blocking, but for the streams."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str) -> Path:
        """Where the outputs of `key` are, or will be."""
        if not key.isalnum():
            raise ValueError("not a key of outputs")
        return self._folder / key

    def archive(self, key: str) -> AsyncGenerator[bytes, None]:
        """All of it as a tar.gz; nothing there yet: an empty archive. What is sent breaks off with FileShrank
        (a file lost bytes meanwhile), TooDeep or OSError. Close it (`aclosing`) when the reader goes.
        """
        return stream_from_thread(partial(write_archive, self.path(key)))

    def list(self, key: str, path: str, *, offset: int, limit: int) -> OutputPage:
        """A page of a folder (`path` empty: the outer one), by name.

        A link counts as what it leads to; those that lead outside, pipes, sockets and devices are not shown.
        Raises NotFound; not for the outer folder, which is empty until something is there.
        """
        try:
            with Beneath(self.path(key)) as tree:
                return _page(tree, read_name(path), offset, limit)
        except NotThere as error:
            if not self.path(key).exists() and not path.strip("/"):
                return OutputPage(0, [])
            raise NotFound("There is no such folder in the outputs.") from error

    def open(self, key: str, path: str) -> OutputFile:
        """A file. Raises NotFound, also for what leads outside and what is no regular file."""
        try:
            with Beneath(self.path(key)) as tree:
                descriptor = tree.open(read_name(path))
        except (NotThere, PermissionError) as error:
            raise NotFound("There is no such file in the outputs.") from error
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotFound("That is a folder of the outputs, not a file.")
        return OutputFile(descriptor, path)

    def copy(self, source: str, target: str) -> None:
        """Make the outputs of `target` a copy of those of `source`; nothing happens if they are there.

        What it makes belongs to the service and is closed to others (see `copy_tree`).
        Raises InsufficientStorage, TooDeep, OSError.
        """
        copy_tree(self.path(source), self.path(target))

    def delete(self, key: str) -> None:
        """Take the outputs away in one step, then delete them, with what a copy or a deletion of them left
        that was cut off. There may be none. Raises OSError; then it is to be repeated."""
        path = self.path(key)
        with suppress(FileNotFoundError):
            path.rename(part_of(path))
        delete_parts(path)


def _page(tree: Beneath, path: str, offset: int, limit: int) -> OutputPage:
    folder = tree.open(path)
    try:
        if not stat.S_ISDIR(os.fstat(folder).st_mode):
            raise NotThere(path)
        above = tuple(part for part in path.split("/") if part not in ("", "."))
        count = 0

        def shown() -> Iterator[str]:
            nonlocal count
            for entry in entries(folder, above):
                if entry.kind != stat.S_IFLNK or _status(tree, entry) is not None:
                    count += 1
                    yield entry.name

        names = heapq.nsmallest(offset + limit, shown())[offset:]
        found = (_described(tree, Entry(folder, (*above, name), stat.S_IFLNK)) for name in names)
        return OutputPage(count, [entry for entry in found if entry is not None])
    finally:
        os.close(folder)


def _described(tree: Beneath, entry: Entry) -> OutputEntry | None:
    status = _status(tree, entry)
    if status is None:
        return None
    is_dir = stat.S_ISDIR(status.st_mode)
    path = write_name("/".join(entry.parts))
    return OutputEntry(path, 0 if is_dir else status.st_size, _time(status), is_dir)


def _status(tree: Beneath, entry: Entry) -> os.stat_result | None:
    """Of the file or folder that an entry is or leads to; None where there is none (any more)."""
    try:
        status = os.stat(entry.name, dir_fd=entry.folder, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            return status
        descriptor = tree.open("/".join(entry.parts))
    except (NotThere, FileNotFoundError, PermissionError):
        return None
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _time(status: os.stat_result) -> datetime:
    """The time of its last change, within what a datetime can be."""
    return _EPOCH + timedelta(microseconds=min(max(status.st_mtime_ns // 1000, _FIRST), _LAST))
