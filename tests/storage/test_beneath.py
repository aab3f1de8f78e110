"""No name leads out of the folder, and nothing that is no file is opened."""

import os
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from app.storage.beneath import Beneath, NotThere, TooDeep
from tests.embedded.other_user import as_other


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`f`, `d/g`, and outside of it a secret."""
    folder = tmp_path / "root"
    (folder / "d").mkdir(parents=True)
    (folder / "f").write_text("f")
    (folder / "d/g").write_text("g")
    (tmp_path / "secret").write_text("secret")
    return folder


def read(root: Path, path: str) -> str:
    with Beneath(root) as tree:
        descriptor = tree.open(path)
    try:
        return "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else os.read(descriptor, 100).decode()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("f", "f"),
        ("./f", "f"),
        ("/f", "f"),
        ("d//g", "g"),
        ("d/", "folder"),
        ("d/../f", "f"),
        ("", "folder"),
        (".", "folder"),
        ("d/..", "folder"),
    ],
)
def test_a_path_inside_is_found(root: Path, path: str, found: str) -> None:
    assert read(root, path) == found


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../secret",
        "d/../../secret",
        "/../secret",
        "f/x",
        "f/..",
        "nothing",
        "a\0b",
        "\ud800",
        "x" * 300,
    ],
)
def test_a_path_that_leaves_or_leads_nowhere_is_not_there(root: Path, path: str) -> None:
    with pytest.raises(NotThere):
        read(root, path)


@pytest.mark.parametrize(
    ("target", "found"),
    [("f", "f"), ("d/g", "g"), ("d", "folder"), ("./d/../f", "f"), ("{root}/d/g", "g"), ("{root}", "folder")],
)
def test_a_link_that_stays_inside_is_followed(root: Path, target: str, found: str) -> None:
    (root / "d/link").symlink_to(target.format(root=root) if "{" in target else f"../{target}")
    assert read(root, "d/link") == found
    (root / "again").symlink_to("d/link")
    assert read(root, "again") == found


@pytest.mark.parametrize(
    "target",
    ["../secret", "..", "/etc/passwd", "d/../../secret", "{root}/../secret", "{root}x/secret", "link", "no"],
)
def test_a_link_that_leaves_or_leads_nowhere_is_not_followed(root: Path, target: str) -> None:
    (root / "link").symlink_to(target.format(root=root))
    for path in ("link", "link/passwd", "d/../link"):
        with pytest.raises(NotThere):
            read(root, path)


def test_up_from_a_linked_folder_is_up_from_where_it_is(root: Path) -> None:
    (root / "d/e").mkdir()
    (root / "link").symlink_to("d/e")
    assert read(root, "link/../g") == "g"
    with pytest.raises(NotThere):
        read(root, "link/../../../secret")


def test_pipes_and_sockets_are_no_files_and_hold_up_nobody(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        for path in ("pipe", "socket"):
            with pytest.raises(NotThere):
                read(root, path)
        with Beneath(root) as tree:
            assert sorted("/".join(entry.parts) for entry in tree.walk()) == ["d", "d/g", "f"]


def test_a_pipe_put_in_a_files_place_is_noticed_without_waiting(root: Path) -> None:
    with Beneath(root) as tree:
        for entry in tree.walk():
            if entry.parts == ("d", "g"):
                (root / "d/g").unlink()
                os.mkfifo(root / "d/g")
                with pytest.raises(NotThere):
                    tree.open_entry(entry)


def test_the_folder_itself_is_no_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("root")
    for path in (tmp_path / "link", tmp_path / "none", tmp_path / "secret"):
        with pytest.raises(NotThere):
            Beneath(path)


def test_a_job_that_swaps_folders_for_links_never_gets_us_out(root: Path, tmp_path: Path) -> None:
    (tmp_path / "g").write_text("outside")
    (root / "link").symlink_to("..")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (root / "d").rename(root / "x")
            (root / "link").rename(root / "d")
            (root / "d").rename(root / "link")
            (root / "x").rename(root / "d")

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        for _ in range(3000):
            try:
                seen.add(read(root, "d/g"))
            except NotThere:
                seen.add("nothing")
            with Beneath(root) as tree:
                for entry in tree.walk():
                    if entry.kind == stat.S_IFREG:
                        try:
                            descriptor = tree.open_entry(entry)
                        except NotThere:
                            continue
                        seen.add(os.read(descriptor, 100).decode())
                        os.close(descriptor)
    finally:
        over.set()
        thread.join()
    assert "g" in seen
    assert seen <= {"g", "f", "nothing"}


def test_what_root_only_could_read_is_not_read_through_a_hard_link(
    root: Path, tmp_path: Path, as_root: None
) -> None:
    os.chown(root, 50000, 50000)
    (root / "stolen").hardlink_to(tmp_path / "secret")
    with pytest.raises(NotThere):
        read(root, "stolen")
    with Beneath(root) as tree:
        for entry in tree.walk():
            if entry.name == "stolen":
                with pytest.raises(NotThere):
                    tree.open_entry(entry)
    assert read(root, "f") == "f"


def test_a_jobs_own_hard_links_are_files(root: Path) -> None:
    (root / "same").hardlink_to(root / "f")
    assert read(root, "same") == "f"


def test_folders_without_end_are_an_error_not_a_crash(tmp_path: Path) -> None:
    nest(tmp_path / "root", 300)
    with Beneath(tmp_path / "root") as tree:
        with pytest.raises(TooDeep):
            list(tree.walk())
        with pytest.raises(NotThere):
            tree.open("/".join("d" * 290))


def nest(path: Path, levels: int) -> None:
    """Folders in folders, deeper than a path can say."""
    path.mkdir()
    here = Path.cwd()
    os.chdir(path)
    try:
        for _ in range(levels):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.chdir(here)


def test_nothing_stays_open(root: Path) -> None:
    (root / "link").symlink_to("d/../d/g")
    (root / "out").symlink_to("/etc")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("link", "out", "d/x", "d", "f/x"):
        with suppress(NotThere):
            read(root, path)
    with Beneath(root) as tree:
        for entry in tree.walk():
            tree.link(entry)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("f", "f"),
        ("../f", "../f"),
        ("../d/g", "../d/g"),
        ("missing", "missing"),
        ("../missing/x", "../missing/x"),
        ("{root}/f", "../f"),
        ("{root}/d/g", "../d/g"),
        ("../../secret", None),
        ("/etc/passwd", None),
        ("missing/../../../x", None),
        ("../../root/f", None),
        ("link", None),
        ("../pipe", None),
    ],
)
def test_a_link_is_kept_as_it_stands_or_made_relative_or_left_out(
    root: Path, target: str, kept: str | None
) -> None:
    os.mkfifo(root / "pipe")
    (root / "d/link").symlink_to(target.format(root=root))
    with Beneath(root) as tree:
        links = [tree.link(entry) for entry in tree.walk() if entry.kind == stat.S_IFLNK]
    assert links == [kept]


def test_a_file_that_its_owner_took_the_right_to_read_from_is_read_and_keeps_its_mode(root: Path) -> None:
    """As a person jobs run as the service's user: a file is its own, whatever its mode. Others' are not."""
    shut = root / "shut"
    shut.write_text("whole")
    shut.chmod(0)
    with Beneath(root) as tree:

        def found() -> bytes:
            return os.read(tree.open("shut"), 99)

        if os.geteuid() == 0:
            with pytest.raises(PermissionError):
                as_other(65534, 65534, found)
            os.chown(shut, 65534, 65534)
            assert as_other(65534, 65534, found) == b"whole"
        else:
            assert found() == b"whole"
    assert stat.S_IMODE(shut.stat().st_mode) == 0
