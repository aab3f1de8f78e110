"""Uploaded code: checked, packed anew so that any unpacker is safe with it, kept by the SHA-256 of that."""

import hashlib
import re
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from isal import igzip

from app.storage.code_tree import CodeTree
from app.storage.files import DurableFile, parts, sync_folder
from app.storage.tar_reader import CodeLimits, TarReader
from app.storage.tar_writer import TarGzWriter

_PIECE = 256 * 1024
CUT_OFF = 3600.0  # seconds without a write after which an upload is none any more


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """A stored archive: its name and SHA-256 (hex), its size in bytes, how many names it has, and of the
    files that were asked for the SHA-256 of their contents; those that it doesn't have are left out."""

    sha256: str
    size: int
    entries: int
    files: dict[str, str] = field(default_factory=dict)


class CodeArchives:
    """Archives in a folder. Blocking: call in a thread."""

    def __init__(self, folder: Path, limits: CodeLimits | None = None) -> None:
        self._folder = folder
        self._limits = limits or CodeLimits()

    def path(self, sha256: str) -> Path:
        """Where the archive of that name is."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise ValueError("not the name of a code archive")
        return self._folder / f"{sha256}.tar.gz"

    def add(self, upload: Path, step_files: Sequence[str] = ()) -> CodeFacts:
        """Check an uploaded tar.gz and keep it; the same code again is the same archive.

        What is kept has the same names, contents, links and times; modes without setuid, no owners.
        `step_files` are names at its top whose contents' hashes are wanted. Takes bounded time and memory.
        Raises BadInput (with the entry's name as its place), InsufficientStorage; then nothing is kept.
        """
        self._clean()
        sha256 = hashlib.sha256()
        tree = CodeTree(self._limits)
        with DurableFile(self._folder / "upload", "The code can't be stored") as file:

            def put(piece: bytes) -> None:
                sha256.update(piece)
                file.write(piece)

            with TarReader(upload, self._limits) as reader:
                _repack(reader, tree, TarGzWriter(put))
            tree.check_links()
            found = {name: tree.find(name) for name in step_files}
            name = sha256.hexdigest()
            file.commit(self.path(name))
        digests = {name: node.contents.digest for name, node in found.items() if node is not None}
        return CodeFacts(name, file.size, tree.count, digests)

    def pick(self, sha256: str, modes: Mapping[str, int], to: IO[bytes]) -> None:
        """Write the files of these names, links followed, with these modes, to `to` as a tar.gz; a name that
        leads to no file is left out. Raises FileNotFoundError."""
        with self.path(sha256).open("rb") as packed:
            unpacked = igzip.IGzipFile(fileobj=packed)  # type: ignore[no-untyped-call]
            with tarfile.TarFile(fileobj=unpacked) as archive:
                writer = TarGzWriter(to.write)
                for name, file, size in _contents(archive, modes):
                    head = tarfile.TarInfo(name)
                    head.mode, head.size = modes[name], size
                    writer.head(head)
                    while data := file.read(_PIECE):
                        writer.write(data)
                    writer.pad(size)
                writer.close()
        to.flush()
        to.seek(0)

    def delete(self, sha256: str) -> None:
        """Forget an archive; there may be none."""
        path = self.path(sha256)
        if path.exists():
            path.unlink(missing_ok=True)
            sync_folder(self._folder)

    def _clean(self) -> None:
        """Remove what uploads left whose process was killed: checking one never takes so long."""
        for part in parts(self._folder):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < time.time() - CUT_OFF:
                    part.unlink()


def _contents(archive: tarfile.TarFile, names: Iterable[str]) -> Iterator[tuple[str, IO[bytes], int]]:
    """Each name that leads to a file, with that file and its size."""
    tree = CodeTree(CodeLimits(entries=sys.maxsize))  # it was counted when it was uploaded
    for entry in archive:
        tree.add(entry)
    for name in names:
        node = tree.find(name)
        file = archive.extractfile(node.path) if node is not None else None
        if file is not None:
            yield name, file, file.seek(0, 2) - file.seek(0)


def _repack(reader: TarReader, tree: CodeTree, writer: TarGzWriter) -> None:
    for entry in reader.entries():
        node = tree.add(entry)
        if node is None:
            continue
        writer.head(_plain(entry))
        if entry.isreg():
            digest = hashlib.sha256()
            for data in reader.contents():
                digest.update(data)
                writer.write(data)
            writer.pad(entry.size)
            node.contents.digest = digest.hexdigest()
    writer.close()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The entry's head with what is worth keeping and nothing else."""
    head = tarfile.TarInfo(entry.name)
    head.type = tarfile.REGTYPE if entry.isreg() else entry.type
    head.mode = 0o777 if entry.issym() else (entry.mode & 0o777) | (0o700 if entry.isdir() else 0o600)
    head.mtime = entry.mtime
    head.size = entry.size
    head.linkname = entry.linkname if entry.issym() or entry.islnk() else ""
    return head
