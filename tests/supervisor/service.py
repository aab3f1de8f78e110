"""The whole service as its own process, as a person starts it; tests may kill whatever it is made of."""

import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.launchers.servers import NO_TLS
from tests.embedded.processes import ROOT, until
from tests.launchers.warm import warm

_numbers = itertools.count()
PARTS = {"api": "bunsen serve", "reconciler": "bunsen reconcile", "postgres": "/bin/postgres -D"}


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder whose parents let Postgres' and jobs' users pass."""
    with tempfile.TemporaryDirectory(prefix="bunsen-up-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name) / "data"


class Up:
    """One `bunsen up` on a data folder; `output` has what it printed."""

    def __init__(
        self,
        data: Path,
        *options: str,
        environment: dict[str, str] | None = None,
        output: Path | None = None,
    ) -> None:
        self.data = data
        self._options = options
        self.environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._output = output or data.with_name(f"{data.name}-{next(_numbers)}.out")
        # Services that share users would take each other's jobs for their own leftovers.
        first = 200_000_000 + os.getpid() % 9_000 * 200_000 + next(_numbers) * 1_000 % 200_000
        self.uids = f"{first}-{first + 999}"  # more than the most that one test starts
        self.port = 0
        self.prefix: list[str] = []  # what runs it, if anything does

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.data / "token").read_text().strip()

    @property
    def pid(self) -> int:
        assert self._process
        if not self.prefix:
            return self._process.pid
        children = psutil.Process(self._process.pid).children()
        return children[0].pid if children else self._process.pid

    def start(self) -> "Up":
        """Start it, on the port of the last start if there was one."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("BUNSEN_") and key != "DATABASE_URL"
        }
        if not self.data.exists():
            warm(self.data)
        self._output.write_bytes(b"")
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *self.prefix,
                    *(sys.executable, "-m", "app.cli", "up", "--port", str(self.port)),
                    *("--data", str(self.data), *self._options),
                ],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=inherited | {"PYTHONPATH": str(ROOT), "BUNSEN_UIDS": self.uids} | self.environment,
                start_new_session=True,
            )
        return self

    def wait_ready(self, seconds: float = 100.0) -> "Up":
        """Until it greets; fails with what it said when it ends instead, and leaves nothing running."""

        def greeted() -> bool:
            assert self._process
            assert self._process.poll() is None, self.output
            return "Ctrl-C ends the service" in self.output

        try:
            until(greeted, seconds)
        except BaseException:
            self.stop()
            raise
        found = re.search(r"URL +http://[^:]+:(\d+)", self.output)
        assert found
        self.port = int(found[1])
        return self

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit code, once it ended."""
        assert self._process
        return self._process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self) -> None:
        """End it, however it is."""
        if self._process and self._process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise

    def part(self, name: str) -> psutil.Process:
        """The process of `api`, `reconciler` or `postgres`, once it runs."""
        found: list[psutil.Process] = []

        def runs() -> bool:
            found[:] = [child for child in self.children() if PARTS[name] in " ".join(_command(child))]
            return len(found) == 1

        until(runs)
        return found[0]

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []

    def client(self, **options: Any) -> httpx.Client:
        """A client of the first user."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0, verify=NO_TLS, **options)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
