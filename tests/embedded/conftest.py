"""Folders that Postgres' user can enter, and servers that end with their test."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.embedded.postgres import EmbeddedPostgres

MakeServer = Callable[..., EmbeddedPostgres]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder as the service has it: pytest's own lie in one that is closed to other users."""
    with tempfile.TemporaryDirectory(prefix="bunsen-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def make_server(folder: Path) -> Iterator[MakeServer]:
    """Makes servers that are fast rather than durable, and stops them all."""
    servers: list[EmbeddedPostgres] = []

    def make(data_dir: Path = folder, **options: object) -> EmbeddedPostgres:
        server = EmbeddedPostgres(data_dir, **{"durable": False, **options})  # type: ignore[arg-type]
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """A data folder with a database, to be copied: faster than making one for each test."""
    with tempfile.TemporaryDirectory(prefix="bunsen-made-") as name:
        Path(name).chmod(0o711)
        server = EmbeddedPostgres(Path(name), durable=False)
        server.start()
        server.stop()
        yield server.data


@pytest.fixture
def server(made: Path, make_server: MakeServer) -> EmbeddedPostgres:
    """A server with an empty database, ready."""
    server = make_server()
    server.root.mkdir()
    subprocess.run(["cp", "-a", made, server.data], check=True)
    server.start()
    server.wait_ready(60)
    return server
