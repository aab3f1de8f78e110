"""A folder as a tar.gz, made while it is sent: flat memory, whatever its size."""

import logging
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

from app.storage.beneath import Beneath, Entry, NotThere, Parts
from app.storage.tar_writer import TarGzWriter

_READ = 512 * 1024

log = logging.getLogger(__name__)


class FileShrank(Exception):
    """A file lost bytes while it was sent: what was promised can't be kept."""


def write_archive(folder: Path, put: Callable[[bytes], None]) -> None:
    """Put the archive of a folder, in pieces; of a folder that is not there an empty one.

    Names are relative; modes without setuid; owners are left out. Links are kept where they stay inside;
    pipes, sockets, devices, and what may not be read are left out. A file has the size that it had when it
    was opened. Raises FileShrank, TooDeep, OSError.
    """
    archive = TarGzWriter(put)
    try:
        with Beneath(folder) as tree:
            for entry in tree.walk(_leave_out):
                _add(archive, tree, entry)
    except NotThere:
        pass
    archive.close()


def _add(archive: TarGzWriter, tree: Beneath, entry: Entry) -> None:
    try:
        if entry.kind == stat.S_IFREG:
            _add_file(archive, tree, entry)
            return
        status = os.stat(entry.name, dir_fd=entry.folder, follow_symlinks=False)
        head = _head(entry, status)
        if entry.kind == stat.S_IFLNK:
            target = tree.link(entry)
            if target is None:
                return
            head.type, head.linkname = tarfile.SYMTYPE, target
        else:
            head.type = tarfile.DIRTYPE
        archive.head(head)
    except (NotThere, FileNotFoundError):
        return  # removed, or put in another's place, since its name was read
    except PermissionError:
        _leave_out(entry.parts)


def _leave_out(parts: Parts) -> None:
    log.warning("an output that may not be read is left out of an archive: %r", "/".join(parts))


def _add_file(archive: TarGzWriter, tree: Beneath, entry: Entry) -> None:
    descriptor = tree.open_entry(entry)
    try:
        status = os.fstat(descriptor)
        head = _head(entry, status)
        head.size = rest = status.st_size
        archive.head(head)
        while rest:
            data = os.read(descriptor, min(rest, _READ))
            if not data:
                raise FileShrank("/".join(entry.parts))
            archive.write(data)
            rest -= len(data)
        archive.pad(head.size)
    finally:
        os.close(descriptor)


def _head(entry: Entry, status: os.stat_result) -> tarfile.TarInfo:
    head = tarfile.TarInfo("/".join(entry.parts))
    head.mode = status.st_mode & 0o777
    head.mtime = int(status.st_mtime)
    return head
