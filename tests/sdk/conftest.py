"""What tests of the contract share: the tools, a whole service a session, and the document that it serves."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.launchers.local.ports import free_ports
from tests.embedded.processes import ROOT, until
from tests.faults.disks import mountable, small_disk
from tests.sdk.training import OUTPUT_SIZE, TRAIN
from tests.supervisor.service import Up, data_folder

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PASSWORD = "correct horse battery staple"
PAGES_PORT = free_ports(1, ())[0]  # where a page of another origin lies
SETTINGS = {
    "BUNSEN_CORS_ORIGINS": f"http://127.0.0.1:{PAGES_PORT}",
    "BUNSEN_GRACE": "2",
    "BUNSEN_CPUS": "16",
    "BUNSEN_TENSORBOARD_START": "150",  # a busy machine starts one slowly
}


def missing(what: str) -> None:
    """Skip a test that this machine can't run; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"In CI nothing may be missing: {what}")
    pytest.skip(what)


def run(*command: str | Path, cwd: Path = HERE, **environment: str) -> str:
    """What a command prints; fails with it when the command does."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "NO_COLOR": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def documented(language: str) -> str:
    """The code that docs/sdk.md shows of a language, from its first import on."""
    page = (Path(ROOT) / "docs" / "sdk.md").read_text()
    section = page.partition(f"\n## {language}\n")[2].partition("\n## ")[0]
    code = "".join(f"{line[4:]}\n" for line in section.splitlines() if line.startswith("    ") or not line)
    found = re.search(r"^(from|import) .*", code, re.DOTALL | re.MULTILINE)
    assert found, language
    return found[0]


@pytest.fixture(scope="session")
def node() -> Path:
    """Where the pinned programs of package.json lie."""
    programs = HERE / "node_modules" / ".bin"
    if not programs.is_dir():
        missing("The Node.js tools are not installed: make install-contract")
    return programs


@pytest.fixture(scope="session")
def chromium() -> str:
    """A browser."""
    found = shutil.which("chromium")
    if not found:
        missing("There is no chromium: on Debian, apt-get install chromium")
    return str(found)


@dataclass(frozen=True)
class Contract:
    """A whole service with a plain user, ada, who has PASSWORD; root's project `open` is public."""

    up: Up
    document: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the flows are told."""
        return {
            "BUNSEN_URL": self.up.url,
            "BUNSEN_USER": "ada",
            "BUNSEN_PASSWORD": PASSWORD,
            "BUNSEN_PUBLIC": "open",
        }


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    with data_folder() as data:
        up = Up(data, environment=SETTINGS).start().wait_ready()
        try:
            add_ada(up)
            document = tmp_path_factory.mktemp("contract") / "openapi.json"
            with up.client() as client:
                document.write_bytes(client.get("/openapi.json").content)
                made = client.post("/api/v1/projects", json={"name": "open", "is_public": True})
                assert made.status_code == 201, made.text
            yield Contract(up, document)
        finally:
            up.stop()


@pytest.fixture(scope="session")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an API whose database is away."""
    url = f"http://127.0.0.1:{free_ports(1, ())[0]}"
    options = ("--port", url.rpartition(":")[2], "--data", str(tmp_path_factory.mktemp("away")))
    database = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    command = [sys.executable, "-m", "app.cli", "serve", *options, "--database-url", database]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(url), 100)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def told(contract: Contract, away: str) -> Iterator[dict[str, str]]:
    """What a flow is told. Where this user may mount one, uploads go through a disk of a mebibyte."""
    told = {**contract.environment, "BUNSEN_AWAY": away, "OUTPUT_SIZE": str(OUTPUT_SIZE), "TRAIN": TRAIN}
    if not mountable("tmpfs"):
        yield told
        return
    uploads = contract.up.data / "uploads"
    uploads.mkdir(exist_ok=True)
    with small_disk("tmpfs", 1) as disk:
        aside = uploads.rename(uploads.with_name("uploads-aside"))
        uploads.symlink_to(disk.path)
        try:
            yield {**told, "BUNSEN_SMALL_DISK": "1"}
        finally:
            uploads.unlink()
            aside.rename(uploads)


def add_ada(up: Up) -> None:
    subprocess.run(
        [sys.executable, "-m", "app.cli", "user", "add", "ada", "--password-stdin", "--data", str(up.data)],
        cwd=ROOT,
        input=f"{PASSWORD}\n",
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
