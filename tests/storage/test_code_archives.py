"""Code archives: what is good is kept, safe for any unpacker; what is bad is refused with its name."""

import errno
import gzip
import hashlib
import io
import os
import resource
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from isal import igzip, isal_zlib

from app.errors import BadInput, InsufficientStorage
from app.storage import code_tree
from app.storage.code_archives import CodeArchives, CodeFacts
from app.storage.tar_reader import CodeLimits

Member = tuple[str, bytes | str, dict[str, object]]


@pytest.fixture
def archives(tmp_path: Path) -> CodeArchives:
    return CodeArchives(tmp_path / "code")


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
        archive.extractall(to, filter="fully_trusted")
    return {str(path.relative_to(to)): path.read_bytes() for path in to.rglob("*") if path.is_file()}


def refusal(archives: CodeArchives, upload: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        archives.add(upload)
    folder = upload.parent / "code"
    assert not folder.exists() or list(folder.iterdir()) == []
    assert caught.value.errors
    assert caught.value.errors[0].loc[0] == "repo"
    return caught.value


def test_code_is_kept_by_the_hash_of_what_is_kept(archives: CodeArchives, tmp_path: Path) -> None:
    upload = packed(
        tmp_path / "up",
        folder("./"),
        file("./train.py", b"print(1)"),
        file("a//b/c.txt", b"", mtime=1_600_000_000, mode=0o755),
        link("a/up", "../train.py"),
        hard("same.py", "train.py"),
    )
    facts = archives.add(upload)
    stored = archives.path(facts.sha256)
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == facts.sha256
    assert (facts.size, stored.stat().st_mode & 0o777) == (stored.stat().st_size, 0o600)
    assert unpacked(archives, facts, tmp_path / "out") == {
        "train.py": b"print(1)",
        "same.py": b"print(1)",
        "a/b/c.txt": b"",
        "a/up": b"print(1)",
    }
    assert (tmp_path / "out/same.py").stat().st_nlink == 2
    status = (tmp_path / "out/a/b/c.txt").stat()
    assert (status.st_mtime, status.st_mode & 0o777) == (1_600_000_000, 0o755)
    assert facts.entries == 6


def test_the_same_code_is_the_same_archive_whoever_packed_it(archives: CodeArchives, tmp_path: Path) -> None:
    one = archives.add(packed(tmp_path / "1", file("f", uname="me", uid=7), form=tarfile.GNU_FORMAT))
    two = archives.add(packed(tmp_path / "2", file("./f", uid=9, pax_headers={"comment": "x"})))
    assert one == two
    assert [path.name for path in (tmp_path / "code").iterdir()] == [f"{one.sha256}.tar.gz"]


def test_an_empty_archive_is_code_too(archives: CodeArchives, tmp_path: Path) -> None:
    facts = archives.add(packed(tmp_path / "up"))
    assert facts.entries == 0
    assert unpacked(archives, facts, tmp_path / "out") == {}


def test_what_has_no_end_mark_is_whole_if_its_entries_are(archives: CodeArchives, tmp_path: Path) -> None:
    tar = gzip.decompress(packed(tmp_path / "up", file("f")).read_bytes())
    facts = archives.add(raw(tmp_path / "up", tar[:1024]))
    assert unpacked(archives, facts, tmp_path / "out") == {"f": b"x"}


def test_setuid_setgid_sticky_bits_and_owners_are_dropped(archives: CodeArchives, tmp_path: Path) -> None:
    facts = archives.add(
        packed(
            tmp_path / "up",
            file("f", mode=0o7755, uid=3, uname="u"),
            folder("d", mode=0o7000),
            file("n", mode=0),
        )
    )
    with tarfile.open(archives.path(facts.sha256)) as archive:
        assert {member.name: member.mode for member in archive} == {"f": 0o755, "d": 0o700, "n": 0o600}
        assert {(member.uid, member.gid, member.uname, member.gname) for member in archive} == {
            (0, 0, "", "")
        }


def test_the_hashes_of_files_that_builds_see_are_told(archives: CodeArchives, tmp_path: Path) -> None:
    upload = packed(
        tmp_path / "up",
        file("requirements.txt", b"old"),
        file("requirements.txt", b"numpy"),
        file("reqs/base.txt", b"torch"),
        link("reqs/link", "base.txt"),
        link("polyaxon_requirements.txt", "./reqs/../reqs/link"),
        folder("setup.sh"),
        hard("polyaxon_setup.sh", "reqs/base.txt"),
        link("broken", "nothing/../x"),
        link("nowhere", "requirements.txt/x"),
    )
    names = [
        "requirements.txt",
        "polyaxon_requirements.txt",
        "setup.sh",
        "polyaxon_setup.sh",
        "none",
        "broken",
    ]
    torch = hashlib.sha256(b"torch").hexdigest()
    assert archives.add(upload, [*names, "nowhere", "../x"]).files == {
        "requirements.txt": hashlib.sha256(b"numpy").hexdigest(),
        "polyaxon_requirements.txt": torch,
        "polyaxon_setup.sh": torch,
    }


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_odd_names_are_kept_in_every_format(
    archives: CodeArchives, tmp_path: Path, form: int
) -> None:
    long = "/".join(f"{n}" * 90 for n in range(9))
    upload = packed(tmp_path / "up", file(long, b"1"), link("l", long), file("ü \n*", b"2"), form=form)
    facts = archives.add(upload)
    assert unpacked(archives, facts, tmp_path / "out") == {long: b"1", "l": b"1", "ü \n*": b"2"}


def test_a_git_archives_global_head_is_no_entry(archives: CodeArchives, tmp_path: Path) -> None:
    with tarfile.open(
        tmp_path / "up", "w:gz", pax_headers={"comment": "0" * 40, "path": "/etc/x"}
    ) as archive:
        archive.addfile(tarfile.TarInfo("f"))
    assert unpacked(archives, archives.add(tmp_path / "up"), tmp_path / "out") == {"f": b""}


def test_what_is_sent_twice_alike_counts_once(archives: CodeArchives, tmp_path: Path) -> None:
    upload = packed(
        tmp_path / "up",
        folder("d"),
        file("d/f", b"old"),
        link("l", "d/f"),
        folder("d/"),
        link("l", "d/f"),
        file("d/f", b"new"),
        hard("d/f", "d/f"),
    )
    facts = archives.add(upload)
    assert unpacked(archives, facts, tmp_path / "out") == {"d/f": b"new", "l": b"new"}
    assert facts.entries == 3


@pytest.mark.parametrize(
    ("members", "name", "why"),
    [
        ([file("../x")], "../x", "with .."),
        ([file("a/../x")], "a/../x", "with .."),
        ([file("/etc/x")], "/etc/x", "absolute"),
        ([special("tty", tarfile.CHRTYPE)], "tty", "device"),
        ([special("sda", tarfile.BLKTYPE)], "sda", "device"),
        ([special("pipe", tarfile.FIFOTYPE)], "pipe", "pipe"),
        ([special("odd", b"Q")], "odd", "no file"),
        ([file("."), file("f")], ".", "no name"),
        ([file("a\0b", pax_headers={"path": "a\0b"})], "a\ufffdb", "no text"),
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
        ([hard("h", "../x")], "h", "with .."),
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
        ({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, "no file"),
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
    assert "no file" in refusal(archives, raw(tmp_path / "up", pax(tarfile.GNUTYPE_SPARSE, 0))).detail


def test_a_full_disk_is_a_clear_error_and_leaves_what_was_there(
    archives: CodeArchives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = archives.add(packed(tmp_path / "1", file("f")))

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    upload = packed(tmp_path / "2", file("g"))
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(InsufficientStorage, match="The code can't be stored"):
        archives.add(upload)
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "code").iterdir()] == [f"{kept.sha256}.tar.gz"]


def test_archives_are_deleted_and_may_be_so_twice(archives: CodeArchives, tmp_path: Path) -> None:
    facts = archives.add(packed(tmp_path / "up", file("f")))
    archives.delete(facts.sha256)
    archives.delete(facts.sha256)
    assert list((tmp_path / "code").iterdir()) == []


def test_what_a_killed_process_left_of_an_upload_goes_with_a_later_one(
    archives: CodeArchives, tmp_path: Path
) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    left, living = folder / "upload.bunsen-part-0123", folder / "upload.bunsen-part-4567"
    left.touch()
    living.touch()
    os.utime(left, (0, 0))
    facts = archives.add(packed(tmp_path / "up", file("f")))
    assert {path.name for path in folder.iterdir()} == {f"{facts.sha256}.tar.gz", living.name}


@pytest.mark.parametrize("name", ["", "..", "a" * 63, "A" * 64, "a" * 63 + "/"])
def test_a_name_is_no_path(archives: CodeArchives, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        archives.path(name)
