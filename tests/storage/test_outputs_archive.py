"""Outputs as one archive, whatever is in them and whoever writes to them meanwhile."""

import asyncio
import contextlib
import gzip
import io
import os
import random
import resource
import tarfile
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from app.errors import NotFound
from app.storage.beneath import TooDeep
from app.storage.outputs import Outputs
from app.storage.outputs_archive import FileShrank
from tests.storage.conftest import KEY, NOBODY
from tests.storage.test_beneath import nest
from tests.storage.test_thread_streams import read_into, until


async def archived(outputs: Outputs) -> tarfile.TarFile:
    pieces = [piece async for piece in outputs.archive(KEY)]
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(b"".join(pieces))))


async def test_an_archive_has_all_by_relative_names(outputs: Outputs, root: Path, tmp_path: Path) -> None:
    (root / "log.txt").chmod(0o4755)
    with await archived(outputs) as archive:
        assert sorted(archive.getnames()) == [
            "empty",
            "latest",
            "log.txt",
            "models",
            "models/best",
            "models/best/weights",
        ]
        member = archive.getmember("log.txt")
        assert (member.mode, member.mtime, member.uid, member.uname) == (0o755, 1_700_000_000, 0, "")
        archive.extractall(tmp_path / "out")
    assert (tmp_path / "out/latest/weights").read_bytes() == b"w" * 700_000
    assert (tmp_path / "out/empty").is_dir()


async def test_the_archive_of_nothing_is_empty(outputs: Outputs, tmp_path: Path) -> None:
    for _ in range(2):
        with await archived(outputs) as archive:
            assert archive.getnames() == []
        (tmp_path / KEY).mkdir(exist_ok=True)


async def test_an_archive_has_no_links_outside_no_pipes_and_any_name(outputs: Outputs, root: Path) -> None:
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "up").symlink_to("../other")
    (root / "absolute").symlink_to(root / "log.txt")
    os.mkfifo(root / "pipe")
    odd = os.fsdecode(b"caf\xe9 \n")
    (root / odd).write_text("odd")
    long = "/".join("n" * 100 for _ in range(5))
    (root / long).mkdir(parents=True)
    with await archived(outputs) as archive:
        names = archive.getnames()
        assert not {"passwd", "up", "pipe"} & set(names)
        assert {odd, long} <= set(names)
        assert archive.getmember("absolute").linkname == "log.txt"


async def test_a_file_that_grows_is_sent_at_its_size_when_opened(outputs: Outputs, root: Path) -> None:
    over = threading.Event()

    def grow() -> None:
        with (root / "log.txt").open("ab", buffering=0) as file:
            while not over.is_set() and file.tell() < 5_000_000:
                file.write(b"x" * 100)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(5):
            with await archived(outputs) as archive:
                file = archive.extractfile("log.txt")
                assert file is not None
                assert set(file.read()[5:]) <= {ord("x")}
                file = archive.extractfile("models/best/weights")
                assert file is not None
                assert file.read() == b"w" * 700_000
    finally:
        over.set()
        thread.join()


async def test_a_file_that_shrinks_breaks_the_transfer(outputs: Outputs, tmp_path: Path) -> None:
    root = tmp_path / KEY
    root.mkdir()
    size = 64 * 1024 * 1024
    with (root / "big").open("wb") as file:
        file.write(random.Random(1).randbytes(size // 8) * 8)
    stream = outputs.archive(KEY)
    got = [await anext(stream)]
    os.truncate(root / "big", size // 2)
    with pytest.raises(FileShrank, match="big"):
        await read_into(got, stream)
    with pytest.raises(EOFError):
        gzip.decompress(b"".join(got))


async def test_folders_without_end_break_the_transfer(outputs: Outputs, tmp_path: Path) -> None:
    nest(tmp_path / KEY, 300)
    with pytest.raises(TooDeep):
        await archived(outputs)


async def test_what_is_closed_is_read_where_it_is_our_own_and_else_left_out_and_said_so(
    not_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (not_root / KEY).mkdir()
    for name in ("closed", "theirs"):
        (not_root / KEY / name).write_text("x")
        (not_root / KEY / name).chmod(0o000)
    (not_root / KEY / "folder" / "below").mkdir(parents=True)
    (not_root / KEY / "folder").chmod(0o000)
    outputs = Outputs(not_root)
    if os.getuid() != 0:
        (not_root / KEY / "theirs").unlink()  # only root can make it someone else's
    else:
        os.seteuid(0)
        os.chown(not_root / KEY / "theirs", 0, 0)
        os.seteuid(NOBODY)
    with await archived(outputs) as archive:
        assert sorted(archive.getnames()) == ["closed", "folder"]
        assert archive.getmember("closed").mode == 0
    (not_root / KEY / "folder").chmod(0o700)
    assert "closed" not in caplog.text
    assert "'folder'" in caplog.text
    assert os.getuid() != 0 or "theirs" in caplog.text
    with pytest.raises(NotFound):
        outputs.open(KEY, "theirs")


async def test_what_is_swapped_while_it_is_archived_never_brings_in_what_is_outside(
    outputs: Outputs, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (root / "log.txt").unlink()
            (root / "log.txt").symlink_to("../secret")
            (root / "log.txt").unlink()
            os.mkfifo(root / "log.txt")
            (root / "log.txt").unlink()
            (root / "log.txt").write_text("hello")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(100):
            with await archived(outputs) as archive:
                if "log.txt" in archive.getnames():
                    file = archive.extractfile("log.txt")
                    assert file is not None
                    assert file.read() in (b"hello", b"")
    finally:
        over.set()
        thread.join()


async def test_an_archive_needs_little_memory_and_waits_for_its_reader(
    outputs: Outputs, tmp_path: Path
) -> None:
    root = tmp_path / KEY
    root.mkdir()
    with (root / "sparse").open("wb") as file:
        file.truncate(1024**3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 0
    async for piece in outputs.archive(KEY):
        size += len(piece)
    assert size > 1_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB


async def test_a_reader_who_goes_leaves_no_thread_and_no_open_file(outputs: Outputs, tmp_path: Path) -> None:
    root = tmp_path / KEY
    root.mkdir()
    with (root / "big").open("wb") as file:
        file.write(os.urandom(32 * 1024 * 1024))

    def held() -> int:
        count = 0
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                count += str(link.readlink()).startswith(str(root))
        return count

    async with aclosing(outputs.archive(KEY)) as stream:
        await anext(stream)
        assert held() > 0
    await until(lambda: held() == 0)
    await until(lambda: not any(thread.name == "stream" for thread in threading.enumerate()))


async def test_other_work_goes_on_while_an_archive_is_made(outputs: Outputs, tmp_path: Path) -> None:
    root = tmp_path / KEY
    root.mkdir()
    with (root / "sparse").open("wb") as file:
        file.truncate(256 * 1024**2)
    longest = 0.0
    loop = asyncio.get_running_loop()

    async def tick() -> None:
        nonlocal longest
        while True:
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)

    ticking = asyncio.create_task(tick())
    async for _ in outputs.archive(KEY):
        pass
    ticking.cancel()
    assert longest < 0.5
