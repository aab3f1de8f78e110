"""The client of clusters costs a process only what is used of it."""

import subprocess
import sys

from tests.embedded.processes import ROOT

LOADED = """
import sys
from app.launchers.kubernetes.launcher import KubernetesLauncher
print(len([name for name in sys.modules if name.startswith("kubernetes_asyncio")]))
"""


def test_the_launcher_loads_no_model_of_the_library() -> None:
    """The whole of it is 850 modules. That what is loaded works, all tests on the cluster show."""
    command = [sys.executable, "-c", LOADED]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert int(found.stdout) < 50
