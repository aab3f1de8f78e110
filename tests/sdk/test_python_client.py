"""The client that openapi-python-client makes of the served document, and an experiment's life through it."""

import sys
from pathlib import Path

import pytest

from tests.embedded.processes import ROOT
from tests.sdk.conftest import BIN, HERE, Contract, documented, run
from tests.sdk.training import OUTPUT_SIZE

# Runs a script and fails when it needed more memory than its argument says; the outputs are larger than that.
MEASURED = """
import pathlib, re, runpy, sys
runpy.run_path(sys.argv[1], run_name="__main__")
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) * 1024
assert peak < int(sys.argv[2]), f"{peak} bytes at the most"
"""


@pytest.fixture(scope="session")
def client(contract: Contract) -> Path:
    """The folder that holds the package; made without a warning."""
    folder = contract.document.parent / "python"
    printed = run(
        *(BIN / "openapi-python-client", "generate", "--path", contract.document, "--output-path", folder),
        *("--config", HERE / "openapi-python-client.yaml", "--fail-on-warning"),
    )
    assert "warning" not in printed.lower(), printed
    return folder


@pytest.mark.timeout(400)
def test_an_experiments_life(client: Path, told: dict[str, str]) -> None:
    """Taken by `mypy --strict`, as docs/sdk.md is, then run; the outputs are never in memory as a whole."""
    page = client / "page.py"
    page.write_text(f'token = ""\n{documented("Python")}')
    run(BIN / "mypy", "--strict", "--cache-dir", client / "cache", HERE / "flow.py", page, cwd=client)
    flow = (sys.executable, "-c", MEASURED, HERE / "flow.py", str(OUTPUT_SIZE))
    run(*flow, cwd=client, PYTHONPATH=f"{client}:{ROOT}", **told)
