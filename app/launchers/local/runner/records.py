"""The files in a job's folder by which runner and launcher speak: each is written whole or not at all."""

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Mapping

RUNNER = "runner"  # {pid, start, boot, init, at}: the folder is taken; nobody starts it a second time
STARTED = "started"  # {at, pid}: the command runs, or a build's next step; the pid is its session's, too
STOP = "stop"  # {grace, reason}: a request, from whoever may write here
END = "end"  # how it ended; whoever reads it finds the log whole and no process left
NOTE = "note"  # a sentence for people, padded with spaces
LOCK = "lock"
ERRORS = "runner.err"

NOTE_BYTES = 512


def write_record(folder: str, name: str, record: Mapping[str, object], *, durable: bool = False) -> None:
    """Write a JSON record in one step: readers see the old one, or all of the new one. Raises OSError."""
    temporary = f"{folder}/.{name}.{os.getpid()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, json.dumps(record).encode())
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, f"{folder}/{name}")
    except OSError:
        _remove(temporary)
        raise
    if durable:
        sync_folder(folder)


def read_record(folder: str, name: str) -> dict[str, object] | None:
    """The record, or None where there is none; empty where a power cut left a name without its content,
    which can't happen to a durable one. Raises OSError but for a missing file."""
    try:
        with open(f"{folder}/{name}", "rb") as file:
            record = json.loads(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; a short write goes on. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: str) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_lock(folder: str) -> int | None:
    """The descriptor that holds the folder's lock until it is closed; None where another process has it."""
    descriptor = os.open(f"{folder}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise
    return descriptor


def prepare_note(folder: str) -> None:
    """Take the note's space now, so that it can be written when the disk is full."""
    with open(f"{folder}/{NOTE}", "wb") as file:
        file.write(b" " * NOTE_BYTES)


def write_note(folder: str, text: str) -> None:
    """Replace the note in place, if that can be; an empty text takes it back."""
    with contextlib.suppress(OSError), open(f"{folder}/{NOTE}", "r+b") as file:
        file.write(text.encode()[:NOTE_BYTES].ljust(NOTE_BYTES))


def read_note(folder: str) -> str | None:
    """The note, or None where there is none."""
    try:
        with open(f"{folder}/{NOTE}", "rb") as file:
            text = file.read(NOTE_BYTES).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return text or None


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
