"""A folder that a hostile job may write to while we read it: nothing outside is reached through it.

Every name is opened relative to a folder that is open already, never through a link that the kernel follows:
links are read and followed here, a step at a time, and one that leaves the folder leads nowhere. So a link
that is put in a folder's place between two steps makes the second fail, and no more.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

# O_NONBLOCK: neither a pipe nor a lease may hold us up.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_FOLDER = _FILE | os.O_DIRECTORY
# A link, pipe or lease in the place of what was a moment ago; a name too long to be one.
_NOT_THERE = (errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EAGAIN, errno.ENAMETOOLONG)
_MOST_LINKS = 40
_MOST_LEVELS = 256

Parts = tuple[str, ...]


class NotThere(Exception):
    """The path names nothing that may be read: missing, outside, or no file or folder."""


class TooDeep(Exception):
    """Folders within folders, more than anyone means."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder that is open as `folder` while the entry is looked at.

    `kind` is one of stat.S_IFREG, S_IFDIR, S_IFLNK.
    """

    folder: int
    parts: Parts
    kind: int

    @property
    def name(self) -> str:
        return self.parts[-1]


class Beneath:
    """An open folder; to be used in a `with`. Raises NotThere where there is none."""

    def __init__(self, path: Path) -> None:
        self._path = str(path.absolute())
        try:
            self._root = os.open(path, _FOLDER)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotThere(str(path)) from error
        self._group = os.fstat(self._root).st_gid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._root)

    def open(self, path: str) -> int:
        """A descriptor of the regular file or folder that a path names, through links that stay inside.

        Raises NotThere; PermissionError where the service may not read it.
        """
        with _gone_is_not_there():
            descriptor = self._resolve(path.split("/"))
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode) or self._is_own(status):
                return descriptor
            os.close(descriptor)
            raise NotThere(path)

    def open_entry(self, entry: Entry) -> int:
        """A descriptor of a walked entry that is a regular file. Raises as `open` does."""
        with _gone_is_not_there():
            descriptor = _open_file(entry.name, entry.folder)
            if self._is_own(os.fstat(descriptor)):
                return descriptor
            os.close(descriptor)
            raise NotThere(entry.name)

    def walk(self, closed: Callable[[Parts], None] | None = None) -> Iterator[Entry]:
        """Every folder, regular file and link below, a folder before what is in it, in no other order.

        A folder that the service may not read is told to `closed` and passed over.
        Raises TooDeep; PermissionError where nobody is told.
        """
        waiting: list[Parts] = [()]
        while waiting:
            parts = waiting.pop()
            try:
                with _gone_is_not_there():
                    folder = self.descend(parts)
            except NotThere:
                continue
            except PermissionError:
                if closed is None:
                    raise
                closed(parts)
                continue
            try:
                for entry in entries(folder, parts):
                    yield entry
                    if entry.kind == stat.S_IFDIR:
                        waiting.append(entry.parts)
            finally:
                os.close(folder)

    def descend(self, parts: Parts) -> int:
        """A descriptor of a folder by its names alone. Raises OSError, TooDeep."""
        if len(parts) > _MOST_LEVELS:
            raise TooDeep(f"There are more than {_MOST_LEVELS} folders within folders.")
        folder = os.open(".", _FOLDER, dir_fd=self._root)
        for part in parts:
            try:
                below = os.open(part, _FOLDER, dir_fd=folder)
            finally:
                os.close(folder)
            folder = below
        return folder

    def link(self, entry: Entry) -> str | None:
        """Where a link leads, from its folder on; None where that is outside. It may lead to nothing yet."""
        try:
            target = os.readlink(entry.name, dir_fd=entry.folder)
        except OSError:
            return None
        if target.startswith("/"):
            inside = self._inside(target)
            if inside is None:
                return None
            target = "/".join([*[".."] * (len(entry.parts) - 1), inside])
        names = [name for name in target.split("/") if name not in ("", ".")]
        try:
            os.close(self._resolve([*entry.parts[:-1], *names]))
        except NotThere:
            return None
        except OSError:
            # What is missing may come, and be a link: what goes up again behind it could lead anywhere.
            while names and names[0] == "..":
                names.pop(0)
            return None if ".." in names else target
        return target

    def _inside(self, target: str) -> str | None:
        """An absolute link's way from our root, as its owner wrote it."""
        return target[len(self._path) + 1 :] if f"{target}/".startswith(f"{self._path}/") else None

    def _resolve(self, path: Sequence[str]) -> int:
        """A descriptor of what the names lead to, links followed. Raises OSError where it is missing,
        NotThere where it is outside or neither a regular file nor a folder."""
        names = deque(name for name in path if name not in ("", "."))
        links = 0
        way = [os.open(".", _FOLDER, dir_fd=self._root)]
        try:
            while names:
                name = names.popleft()
                if name == "..":
                    if len(way) == 1:
                        raise NotThere(name)
                    os.close(way.pop())
                    continue
                mode = os.stat(name, dir_fd=way[-1], follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    links += 1
                    target = os.readlink(name, dir_fd=way[-1])
                    if target.startswith("/"):
                        inside = self._inside(target)
                        while inside is not None and len(way) > 1:
                            os.close(way.pop())
                    else:
                        inside = target
                    if inside is None or links > _MOST_LINKS:
                        raise NotThere(name)
                    names.extendleft(part for part in reversed(inside.split("/")) if part not in ("", "."))
                elif stat.S_ISDIR(mode) and len(way) <= _MOST_LEVELS:
                    way.append(os.open(name, _FOLDER, dir_fd=way[-1]))
                elif stat.S_ISREG(mode) and not names:
                    return _open_file(name, way[-1])
                else:
                    raise NotThere(name)
            return way.pop()
        finally:
            for descriptor in way:
                os.close(descriptor)

    def _is_own(self, status: os.stat_result) -> bool:
        """Whether it is a regular file that its folder's owner could read.

        Where the kernel lets anyone make a hard link to anything (`protected_hardlinks` off), a job could
        link what it can't read, for root to read it. What is the experiment's has its group.
        """
        foreign = os.geteuid() == 0 and status.st_nlink > 1 and status.st_gid != self._group
        return stat.S_ISREG(status.st_mode) and not foreign


def _open_file(name: str, folder: int) -> int:
    """A descriptor to read. Where jobs run as the service's own user, one may have taken the right to read
    from a file; its owner lends it for a moment. Raises OSError."""
    try:
        return os.open(name, _FILE, dir_fd=folder)
    except PermissionError:
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise
            place = f"/proc/self/fd/{handle}"
            os.chmod(place, 0o400)  # noqa: PTH101 - a link of the kernel's, which leads to that very file
            try:
                return os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            finally:
                os.chmod(place, stat.S_IMODE(status.st_mode))  # noqa: PTH101
        finally:
            os.close(handle)


def entries(folder: int, parts: Parts = ()) -> Iterator[Entry]:
    """The folders, regular files and links of an open folder; pipes, sockets and devices are left out."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_symlink():
                kind = stat.S_IFLNK
            elif entry.is_dir(follow_symlinks=False):
                kind = stat.S_IFDIR
            elif entry.is_file(follow_symlinks=False):
                kind = stat.S_IFREG
            else:
                continue
            yield Entry(folder, (*parts, entry.name), kind)


@contextmanager
def _gone_is_not_there() -> Iterator[None]:
    """What a name doesn't lead to (any more), or can't be a name."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise NotThere from error
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise NotThere from error
        raise
