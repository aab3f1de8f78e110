"""A database is made whole or not at all, and one that can't be served is refused in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.embedded import initialise
from app.embedded.errors import CannotStart
from app.embedded.postgres import EmbeddedPostgres
from tests.embedded.conftest import MakeServer
from tests.embedded.processes import ROOT, ask

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")


@pytest.fixture
def stopped(server: EmbeddedPostgres) -> EmbeddedPostgres:
    server.stop()
    return server


@pytest.mark.parametrize("lost", ["PG_VERSION", "global/pg_control"])
def test_a_folder_without_its_marks_is_broken(stopped: EmbeddedPostgres, lost: str) -> None:
    (stopped.data / lost).unlink()
    with pytest.raises(CannotStart, match=f"is broken: .*{lost} is missing"):
        stopped.start()


def test_an_empty_control_file_is_broken(stopped: EmbeddedPostgres) -> None:
    os.truncate(stopped.data / "global/pg_control", 0)
    with pytest.raises(CannotStart, match="is broken: global/pg_control is empty"):
        stopped.start()


def test_what_postgres_itself_finds_broken_is_said_in_its_words(stopped: EmbeddedPostgres) -> None:
    control = stopped.data / "global/pg_control"
    control.write_bytes(b"\x07" * control.stat().st_size)
    stopped.start()
    with pytest.raises(CannotStart, match=r"Postgres ended at its start: .+"):
        stopped.wait_ready(60)


@pytest.mark.parametrize(
    ("major", "words"), [("19", "newer than the 18"), ("17", "not by the 18"), ("x", "not by the 18")]
)
def test_another_majors_database_is_left_alone(stopped: EmbeddedPostgres, major: str, words: str) -> None:
    (stopped.data / "PG_VERSION").write_text(f"{major}\n")
    with pytest.raises(CannotStart, match=f"made by Postgres {major}, {words}"):
        stopped.start()


def test_without_space_nothing_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initialise, "MINIMUM_FREE", 1 << 60)
    server = EmbeddedPostgres(folder)
    with pytest.raises(CannotStart, match=r"There is no space for the database: .* MiB left"):
        server.start()
    assert not server.data.exists()


def test_what_an_interrupted_making_left_is_made_anew(folder: Path, make_server: MakeServer) -> None:
    half = folder / "postgres" / ".data-in-making" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server = make_server()
    server.start()
    server.wait_ready(60)
    assert ask(server.url, "SELECT 1") == 1
    assert not half.parent.exists()


def test_a_making_that_fails_says_why_and_leaves_no_database(folder: Path) -> None:
    """Here since no process of the user may write a file of more than 1 MiB."""
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom app.embedded.postgres import EmbeddedPostgres\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "EmbeddedPostgres(Path(sys.argv[1])).start()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "CannotStart: The database could not be made:" in done.stderr
    assert not (folder / "postgres" / "data").exists()
