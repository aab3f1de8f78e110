"""Code archives as tests pack them, the wrong ones too."""

import io
import tarfile
from pathlib import Path

from isal import igzip

from app.storage.code_archives import CodeArchives, CodeFacts

Member = tuple[str, bytes | str, dict[str, object]]


def file(name: str, data: bytes = b"x", **more: object) -> Member:
    return name, data, more


def link(name: str, target: str, **more: object) -> Member:
    return name, target, {"type": tarfile.SYMTYPE, **more}


def hard(name: str, target: str) -> Member:
    return link(name, target, type=tarfile.LNKTYPE)


def special(name: str, kind: bytes) -> Member:
    return name, b"", {"type": kind}


def folder(name: str, **more: object) -> Member:
    return name, b"", {"type": tarfile.DIRTYPE, **more}


def packed(path: Path, *members: Member, form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w:gz", format=form) as archive:
        for name, data, more in members:
            info = tarfile.TarInfo(name)
            for key, value in more.items():
                setattr(info, key, value)
            if isinstance(data, str):
                info.linkname, data = data, b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def raw(path: Path, *blocks: bytes) -> Path:
    path.write_bytes(igzip.compress(b"".join(blocks), 0))
    return path


def unpacked(archives: CodeArchives, facts: CodeFacts, to: Path) -> dict[str, bytes]:
    with tarfile.open(archives.path(facts.sha256)) as archive:
        archive.extractall(to)
    return {str(path.relative_to(to)): path.read_bytes() for path in to.rglob("*") if path.is_file()}
