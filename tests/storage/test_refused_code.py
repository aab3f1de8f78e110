"""Code archives that are refused: bad entries, too much of anything, damage."""

import gzip
import os
import resource
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from isal import isal_zlib

from app.errors import BadInput
from app.storage import code_tree
from app.storage.code_archives import CodeArchives
from app.storage.tar_reader import CodeLimits
from tests.storage.packing import Member, file, folder, hard, link, packed, raw, special


def refusal(archives: CodeArchives, upload: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        archives.add(upload)
    folder = upload.parent / "code"
    assert not folder.exists() or list(folder.iterdir()) == []
    assert caught.value.errors
    assert caught.value.errors[0].loc[0] == "repo"
    return caught.value


@pytest.mark.parametrize(
    ("members", "name", "why"),
    [
        ([file("../x")], "../x", "has `..` in its name"),
        ([file("a/../x")], "a/../x", "has `..` in its name"),
        ([file("/etc/x")], "/etc/x", "absolute"),
        ([special("tty", tarfile.CHRTYPE)], "tty", "device"),
        ([special("sda", tarfile.BLKTYPE)], "sda", "device"),
        ([special("pipe", tarfile.FIFOTYPE)], "pipe", "pipe"),
        ([special("odd", b"Q")], "odd", "no file"),
        ([file("."), file("f")], ".", "no name"),
        ([file("a\0b", pax_headers={"path": "a\0b"})], "a\ufffdb", r"'a\x00b' has a NUL in its name"),
        ([file("a\0b")], "a\ufffdb", "a NUL"),
        ([folder("d\0/e")], "d\ufffd/e/", "a NUL"),
        ([file("f"), link("l", "f\0g")], "l", "no name"),
        ([file("f"), hard("h", "f\0g")], "h", "a NUL"),
        ([file(os.fsdecode(b"\xff"))], "?", "no text"),
        ([file("n" * 256)], "n" * 200, "too long"),
        ([file("d/" * 300 + "f")], ("d/" * 300)[:200], "too long"),
        ([file(("d" * 99 + "/") * 50 + "f")], (("d" * 99 + "/") * 50)[:200], "too long"),
        ([link("l", "/etc/passwd")], "l", "leaves"),
        ([link("l", "..")], "l", "leaves"),
        ([link("d/l", "../../x")], "d/l", "leaves"),
        ([link("l", "none/../../x")], "l", "leaves"),
        ([link("a", "."), link("l", "a/a/../x")], "l", "leaves"),
        ([link("l", "d/deep/../../../x"), link("d/deep", ".")], "l", "leaves"),
        ([link("l", "l")], "l", "too many"),
        ([link("a", "b"), link("b", "a")], "a", "too many"),
        ([link("l", "./" * 2000)], None, None),
        ([link(f"l{n}", "./" * 2000 + f"l{n + 1}") for n in range(3)], "l0", "too many"),
        ([link("l", "")], "l", "no name"),
        ([link("l", "x" * 5000)], "l", "no name"),
        ([link("l", "a\0b", pax_headers={"linkpath": "a\0b"})], "l", "no name"),
        ([link("d", "e"), file("d/x")], "d/x", "in the way"),
        ([folder("e"), link("d", "e"), folder("d")], "d", "in the way"),
        ([file("f"), file("f/x")], "f/x", "in the way"),
        ([folder("d"), file("d")], "d", "in the way"),
        ([file("f"), link("f", "g")], "f", "in the way"),
        ([link("l", "a"), link("l", "b")], "l", "twice"),
        ([hard("h", "none")], "h", "no file before"),
        ([hard("h", "/etc/passwd")], "h", "absolute"),
        ([hard("h", "../x")], "h", "has `..` in its name"),
        ([folder("d"), hard("h", "d")], "h", "no file before"),
        ([link("l", "f"), hard("h", "l")], "h", "no file before"),
        ([file("f"), hard("h", "f"), file("f")], "f", "twice"),
        ([file("f"), file("h"), hard("h", "f")], "h", "twice"),
    ],
)
def test_a_bad_entry_is_refused_by_name(
    archives: CodeArchives, tmp_path: Path, members: list[Member], name: str | None, why: str | None
) -> None:
    upload = packed(tmp_path / "up", *members)
    if name is None or why is None:
        archives.add(upload)
        return
    error = refusal(archives, upload)
    assert why in error.detail
    assert error.errors is not None
    assert error.errors[0].loc[1] == name


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    archives = CodeArchives(tmp_path / "code", CodeLimits(entries=10))
    archives.add(packed(tmp_path / "up", *(file(f"d/{n}") for n in range(9))))
    archives.delete(archives.add(packed(tmp_path / "up", *(file(f"d/{n}") for n in range(9)))).sha256)
    assert (
        "more than 10 entries" in refusal(archives, packed(tmp_path / "up", file("d/e/f/" * 4 + "x"))).detail
    )


def test_too_many_links_are_refused(
    archives: CodeArchives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_tree, "_LINKS", 20)
    upload = packed(tmp_path / "up", *(link(f"l{n}", "x") for n in range(21)))
    assert "more than 20 links" in refusal(archives, upload).detail


def test_more_than_fits_is_refused(tmp_path: Path) -> None:
    archives = CodeArchives(tmp_path / "code", CodeLimits(packed=2000, unpacked=100))
    assert archives.add(packed(tmp_path / "up", file("f", bytes(60)), file("g", bytes(40)))).entries == 2
    archives.delete(archives.add(packed(tmp_path / "up", file("f", bytes(60)), file("g", bytes(40)))).sha256)
    error = refusal(archives, packed(tmp_path / "up", file("f", bytes(60)), file("g", bytes(41))))
    assert "more than 100 bytes" in error.detail
    (tmp_path / "up").write_bytes(os.urandom(2001))
    assert "larger than 2000 bytes" in refusal(archives, tmp_path / "up").detail


def zeros(path: Path, size: int, *heads: bytes) -> Path:
    """A gzip of heads, then of `size` zero bytes."""
    compressor = isal_zlib.compressobj(0, isal_zlib.DEFLATED, 31)
    with path.open("wb") as out:
        out.write(compressor.compress(b"".join(heads)))
        for _ in range(size // 2**20):
            out.write(compressor.compress(bytes(2**20)))
        out.write(compressor.flush())
    return path


def pax(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def declared(size: int) -> bytes:
    info = tarfile.TarInfo("bomb")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "heads",
    [
        [declared(10 * 2**30)],
        [declared(2**70)],
        [pax(tarfile.XHDTYPE, 10 * 2**30)],
        [pax(tarfile.GNUTYPE_LONGNAME, 10 * 2**30)],
        [],
        [declared(600 * 2**20)],
    ],
    ids=["one file", "a huge number", "a pax head", "a long name", "behind the end", "behind a file"],
)
def test_a_bomb_is_refused_in_little_time_and_memory(tmp_path: Path, heads: list[bytes]) -> None:
    archives = CodeArchives(tmp_path / "code", CodeLimits(unpacked=500 * 2**20))
    upload = zeros(tmp_path / "up", 700 * 2**20, *heads)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    refusal(archives, upload)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    assert time.process_time() - start < 5


def test_heads_without_end_are_refused(archives: CodeArchives, tmp_path: Path) -> None:
    heads = (pax(tarfile.XHDTYPE, 512) + b"9 comment=" + bytes(502)) * 600
    assert "damaged head" in refusal(archives, raw(tmp_path / "up", heads)).detail
    record = b"500 comment=" + b"x" * 487 + b"\n"
    good = (pax(tarfile.XHDTYPE, 500 * 1024) + record * 1024) * 600
    assert "no contents" in refusal(archives, raw(tmp_path / "up", good)).detail


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda data: b"", "is empty"),
        (lambda data: gzip.compress(b""), "is empty"),
        (lambda data: b"no archive" * 100, "no tar.gz"),
        (lambda data: gzip.compress(b"no archive" * 100), "no tar.gz"),
        (lambda data: gzip.decompress(data), "no tar.gz"),
        (lambda data: data[:-20], "cut short"),
        (lambda data: data[:40], "cut short"),
        (lambda data: data[:-8] + b"1234" + data[-4:], "damaged"),
        (lambda data: data[:30] + b"\xff" * 20 + data[50:], "damaged"),
        (lambda data: gzip.compress(gzip.decompress(data)[:700]), "cut short"),
        (lambda data: gzip.compress(gzip.decompress(data)[:100]), "cut short"),
        (lambda data: gzip.compress(gzip.decompress(data)[:2500]), "cut short"),
    ],
)
def test_what_is_no_whole_tar_gz_is_refused(
    archives: CodeArchives, tmp_path: Path, spoil: Callable[[bytes], bytes], why: str
) -> None:
    upload = packed(tmp_path / "up", file("a"), file("f", os.urandom(2000)))
    upload.write_bytes(spoil(upload.read_bytes()))
    assert why in refusal(archives, upload).detail


@pytest.mark.parametrize(
    "record",
    [
        b"x",
        b"9999 path=f\n",
        b"11 path=fxxx",
        b"3 a\n",
        b"7 path=x\n",
        b"99999999999 path=x\n",
    ],
)
def test_a_damaged_head_is_refused(archives: CodeArchives, tmp_path: Path, record: bytes) -> None:
    blocks = [pax(tarfile.XHDTYPE, len(record)), record.ljust(512, b"\0"), declared(0)]
    assert "damaged head" in refusal(archives, raw(tmp_path / "up", *blocks)).detail


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ({"size": "-1"}, "size"),
        ({"size": "x"}, "size"),
        ({"size": "9" * 30}, "size"),
        ({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, "sparse file"),
    ],
)
def test_odd_records_are_refused(
    archives: CodeArchives, tmp_path: Path, records: dict[str, str], why: str
) -> None:
    data = b"".join(_record(key, value) for key, value in records.items())
    blocks = [pax(tarfile.XHDTYPE, len(data)), data.ljust(512, b"\0"), declared(0)]
    assert why in refusal(archives, raw(tmp_path / "up", *blocks)).detail


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    size = len(body) + len(str(len(body) + 2))
    return str(size).encode() + body


def test_sizes_and_times_of_pax_heads_are_believed_or_left(archives: CodeArchives, tmp_path: Path) -> None:
    for mtime, expected in [("12.5", 12), ("inf", 0), ("x", 0)]:
        data = _record("size", "3") + _record("mtime", mtime)
        blocks = [
            pax(tarfile.XHDTYPE, len(data)),
            data.ljust(512, b"\0"),
            declared(0),
            b"abc".ljust(512, b"\0"),
        ]
        facts = archives.add(raw(tmp_path / "up", *blocks))
        with tarfile.open(archives.path(facts.sha256)) as archive:
            (member,) = archive.getmembers()
        assert (member.size, member.mtime) == (3, expected)


def test_a_negative_size_is_refused(archives: CodeArchives, tmp_path: Path) -> None:
    head = bytearray(declared(0))
    head[124:136] = b"\xff" * 12
    head[148:156] = b"%06o\0 " % (256 + sum(head[:148]) + sum(head[156:]))
    assert "negative" in refusal(archives, raw(tmp_path / "up", bytes(head))).detail


def test_old_sparse_files_are_refused(archives: CodeArchives, tmp_path: Path) -> None:
    sentence = refusal(archives, raw(tmp_path / "up", pax(tarfile.GNUTYPE_SPARSE, 0))).detail
    assert "is packed as a sparse file; pack it without --sparse" in str(sentence)
