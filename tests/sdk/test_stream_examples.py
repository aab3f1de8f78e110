"""`examples/streams/`: each follows a log over the death of the API and ends with every line, each once."""

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.embedded.processes import ROOT, until
from tests.sdk.conftest import BIN, HERE, PAGES_PORT, Contract
from tests.supervisor.service import Up

EXAMPLES = Path(ROOT) / "examples" / "streams"
LINES = 600
EXPECTED = "".join(f"line {number}\n" for number in range(LINES))
# Talks until the test has killed what it wants to kill: a file in the outputs tells.
TALK = (
    f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); "
    f'[ $i -lt {LINES // 2} ] || while [ ! -e "$POLYAXON_RUN_OUTPUTS_PATH/go-on" ]; do sleep 0.1; done; done'
)

pytestmark = pytest.mark.timeout(300)


@dataclass
class Follower:
    """An example that runs; what it prints goes to files."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path
    begun: Callable[[], bool]

    @property
    def said(self) -> str:
        return self.output.with_suffix(".err").read_text()


def begin(name: str, command: list[str | Path], folder: Path, up: Up, begun: Path | None = None) -> Follower:
    output = folder / f"{name}.out"
    with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
        environment = os.environ | {"BUNSEN_URL": up.url, "BUNSEN_TOKEN": up.token}
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
    return Follower(
        name, process, output, begun.exists if begun else lambda: b"line 10\n" in output.read_bytes()
    )


def talk(up: Up) -> tuple[str, Callable[[], None]]:
    """The path of an experiment that stops in the middle of its log until the second is called."""
    config = {"version": 1, "kind": "experiment", "run": {"cmd": TALK}}
    with up.client() as client:
        made = client.post("/api/v1/root/open/experiments", json={"config": config}).json()
    outputs = up.data / "outputs" / made["uuid"]
    return f"root/open/experiments/{made['id']}", (outputs / "go-on").touch


def over_a_death(up: Up, followers: list[Follower], go_on: Callable[[], None]) -> None:
    """Kill the API while all of them follow; then each ends with the whole log."""
    try:
        until(lambda: all(one.begun() or one.process.poll() is not None for one in followers), 120)
        api = up.part("api")
        api.kill()
        api.wait(30)
        go_on()
        for one in followers:
            assert one.process.wait(120) == 0, (one.name, one.said)
            assert one.output.read_text() == EXPECTED, one.name
            assert f"whole: {LINES} lines" in one.said, (one.name, one.said)
    finally:
        for one in followers:
            one.process.kill()
            one.process.wait()


def test_in_a_shell_and_in_python(contract: Contract, tmp_path: Path) -> None:
    path, go_on = talk(contract.up)
    commands: dict[str, list[str | Path]] = {
        "curl": ["bash", EXAMPLES / "follow.sh", path],
        "httpx": [sys.executable, EXAMPLES / "follow.py", path],
        "websocket": [sys.executable, EXAMPLES / "follow_websocket.py", path],
    }
    followers = [begin(name, command, tmp_path, contract.up) for name, command in commands.items()]
    over_a_death(contract.up, followers, go_on)


@pytest.fixture
def page() -> Iterator[str]:
    """The URL of the example's page, which another origin serves."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(EXAMPLES))
    with http.server.ThreadingHTTPServer(("127.0.0.1", PAGES_PORT), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{PAGES_PORT}/follow.html"
        server.shutdown()
        thread.join()


def test_in_typescript_and_in_a_browser(
    contract: Contract, node: Path, chromium: str, page: str, tmp_path: Path
) -> None:
    up = contract.up
    path, go_on = talk(up)
    begun = tmp_path / "begun"
    browser: list[str | Path] = [
        BIN / "node",
        HERE / "follow_page.ts",
        page,
        up.url,
        path,
        up.token,
        chromium,
        begun,
    ]
    followers = [
        begin("fetch", [BIN / "node", EXAMPLES / "follow.ts", path], tmp_path, up),
        begin("EventSource", browser, tmp_path, up, begun),
    ]
    over_a_death(up, followers, go_on)
