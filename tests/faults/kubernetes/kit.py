"""The cluster's own parts, killed and brought back with the kit that started them."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.launchers.kubernetes.conftest import SHARED, no_cluster


class Kit:
    """`folder` has `up`; `state` is where it keeps the process ids of the parts."""

    def __init__(self, folder: Path, state: Path) -> None:
        self._up = folder / "up"
        self._run = state / "run"

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """No other test breaks that part of the cluster meanwhile."""
        SHARED.mkdir(parents=True, exist_ok=True)
        with (SHARED / f"{what}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def kill(self, *parts: str) -> None:
        """SIGKILL, those that run."""
        for part in parts:
            try:
                os.kill(int((self._run / f"{part}.pid").read_text()), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                continue

    def up(self, nodes: int = 1, **variables: str) -> None:
        """Start what doesn't run, with these variables beside its own, and wait until it is ready."""
        command = [str(self._up), "--nodes", str(nodes)]
        environment = os.environ | variables
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, done.stderr


def kit_here() -> Kit:
    """The kit that BUNSEN_KUBE_KIT names."""
    folder = os.environ.get("BUNSEN_KUBE_KIT", "")
    if not folder or not (Path(folder) / "up").is_file():
        no_cluster("BUNSEN_KUBE_KIT names nothing that could bring a part of the cluster back")
    return Kit(Path(folder), Path(os.environ.get("BUNSEN_KUBE", "/var/lib/bunsen-kube")))
