"""The service as its own process: one for a module's tests, or a new one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.embedded.postgres import EmbeddedPostgres
from tests.supervisor.service import Up, data_folder

MakeUp = Callable[..., Up]


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that is not there yet."""
    with data_folder() as path:
        yield path


@pytest.fixture
def make_up(data: Path) -> Iterator[MakeUp]:
    """Makes services, not started yet, and ends them all."""
    made: list[Up] = []

    def make(*options: str, folder: Path = data, **environment: str) -> Up:
        up = Up(folder, *options, environment=environment)
        made.append(up)
        return up

    yield make
    for up in made:
        up.stop()


@pytest.fixture(scope="module")
def running() -> Iterator[Up]:
    """A service that the module's tests share, each leaving it running."""
    with data_folder() as path:
        up = Up(path).start()
        try:
            yield up.wait_ready()
        finally:
            up.stop()


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """Another Postgres, with an empty database."""
    with data_folder() as path:
        path.mkdir(mode=0o711)
        server = EmbeddedPostgres(path, durable=False)
        server.start()
        server.wait_ready(60)
        yield server
        server.stop()
