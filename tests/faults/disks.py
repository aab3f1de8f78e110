"""Small real disks, mounted for a test: to be filled, and emptied again."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024


class Disk:
    """A mounted file system of its own; `path` is its root."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    @property
    def free(self) -> int:
        """Bytes that root may still write."""
        state = os.statvfs(self.path)
        return state.f_bfree * state.f_frsize

    def fill(self) -> None:
        """Take every byte that is left."""
        with self._filler.open("ab", buffering=0) as file:
            size = MIB
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def empty(self) -> None:
        """Give back what `fill` took."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(kind: str, mebibytes: int) -> Iterator[Disk]:
    """A disk of that kind, `tmpfs` or `ext4` (a file as a block device); others may pass through its root."""
    with tempfile.TemporaryDirectory(prefix="bunsen-disk-") as name:
        Path(name).chmod(0o711)
        place = Path(name) / "disk"
        place.mkdir()
        if kind == "tmpfs":
            _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0711", "bunsen-test", str(place))
        else:
            image = Path(name) / "image"
            with image.open("wb") as file:
                file.truncate(mebibytes * MIB)
            _run("mkfs.ext4", "-q", "-m", "0", str(image))
            _run("mount", "-o", "loop", str(image), str(place))
        try:
            place.chmod(0o711)
            yield Disk(place)
        finally:
            _run("umount", "--lazy", str(place))


def mountable(kind: str) -> bool:
    """Whether this user may mount such a disk here."""
    try:
        with small_disk(kind, 16):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
