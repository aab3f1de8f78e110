"""A launcher over a data folder of its own: with a user for each experiment (as root), or one for all."""

import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.disk import delete_tree
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.leftovers import kill_leftovers
from app.launchers.local.options import LocalOptions
from tests.launchers.measured import RUNNER, RUNNER_ENVIRONMENT

MODES = ["own-users", "one-user"] if os.geteuid() == 0 else ["one-user"]
_spans = itertools.count()


@pytest.fixture(scope="session")
def environments() -> Iterator[Path]:
    """The plain environment, made once for all tests of a worker."""
    folder = Path(tempfile.mkdtemp(prefix="bunsen-envs-"))
    yield folder
    delete_tree(folder)


@pytest.fixture
def data(environments: Path) -> Iterator[Path]:
    """A data folder that jobs' users can reach; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="bunsen-"))
    folder.chmod(0o711)
    (folder / "envs").symlink_to(environments)
    yield folder
    for job in (folder / "jobs").glob("*"):
        kill_leftovers(job, None, lambda: ())
    delete_tree(folder)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Whose processes jobs are."""
    return str(request.param)


@pytest.fixture
def options(data: Path, mode: str) -> LocalOptions:
    """Users that no other test of this machine uses at the same time."""
    first = 200_000 + os.getpid() % 20_000 * 1000 + next(_spans) * 10 % 1000
    span = (first, first + 9) if mode == "own-users" else None
    return LocalOptions(
        data=data,
        cpus=4,
        memory=8 * 1024**3,
        gpus=0,
        data_volumes={"away": str(data / "away")},
        uids=span,
        runner=RUNNER,
        runner_environment=RUNNER_ENVIRONMENT,
    )


@pytest.fixture
async def launcher(options: LocalOptions) -> AsyncIterator[LocalLauncher]:
    """A started launcher."""
    launcher = LocalLauncher(options)
    await launcher.start()
    yield launcher
    await launcher.close()
    last = LocalLauncher(options)
    await last.start()
    for ref in await last.known():
        await last.forget(ref)
    await last.close()
