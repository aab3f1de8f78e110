"""Code archives: what is good is kept, safe for any unpacker."""

import errno
import gzip
import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from app.errors import InsufficientStorage
from app.storage.code_archives import CodeArchives
from tests.storage.packing import file, folder, hard, link, packed, raw, unpacked


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
