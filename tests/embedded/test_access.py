"""Whose process the embedded Postgres is, and who reaches it."""

import os
import subprocess
from pathlib import Path

import pytest

from app.embedded.errors import CannotStart
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.runtime import service_python_for_jobs
from tests.embedded.processes import ask

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")


@as_root
def test_as_root_it_runs_as_someone_else_and_root_may_enter(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    assert Path(f"/proc/{server.pid}").stat().st_uid == server.data.stat().st_uid != 0
    assert ask(server.url.replace("bunsen@", "postgres@"), "SELECT current_user") == "postgres"


@as_root
def test_another_user_of_the_machine_is_refused(server: EmbeddedPostgres) -> None:
    attempt = (
        "import socket, sys\ns = socket.socket(socket.AF_UNIX)\n"
        "try: s.connect(sys.argv[1])\nexcept PermissionError: sys.exit(3)"
    )
    python = service_python_for_jobs(server.root.parent, 50_000, 50_000)
    path = server.root / "run" / ".s.PGSQL.5432"
    done = subprocess.run([python, "-c", attempt, path], user=50_000, group=50_000, cwd="/", check=False)
    assert done.returncode == 3


@as_root
def test_peers_that_the_map_does_not_name_are_refused(server: EmbeddedPostgres) -> None:
    """Even with the folder open: the kernel says who they are."""
    for place in (server.root, server.root / "run"):
        place.chmod(0o755)
    (server.root / "run" / ".s.PGSQL.5432").chmod(0o777)
    attempt = (
        "import socket, struct, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
        "m = struct.pack('!i', 196608) + b'user\\0bunsen\\0database\\0bunsen\\0\\0'\n"
        "s.sendall(struct.pack('!i', len(m) + 4) + m)\nprint(s.recv(1000))"
    )
    python = service_python_for_jobs(server.root.parent, 50_000, 50_000)
    path = server.root / "run" / ".s.PGSQL.5432"
    done = subprocess.run(
        [python, "-c", attempt, path], user=50_000, group=50_000, cwd="/", capture_output=True, check=False
    )
    assert b"Peer authentication failed" in done.stdout


@as_root
def test_a_folder_that_its_user_cant_reach_is_named(folder: Path) -> None:
    folder.chmod(0o700)
    with pytest.raises(CannotStart, match=r"who can't reach .*a folder above it is closed"):
        EmbeddedPostgres(folder / "deeper").start()


@as_root
def test_data_that_belongs_to_root_is_named_with_what_helps(server: EmbeddedPostgres) -> None:
    server.stop()
    os.chown(server.data, 0, 0)
    with pytest.raises(CannotStart, match=r"belongs to root.*chown -R"):
        server.start()


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match=r"could not be started: .*file"):
        EmbeddedPostgres(tmp_path / "file").start()
