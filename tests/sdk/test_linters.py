"""Two linters of OpenAPI documents have nothing to say about ours, not even a hint."""

from pathlib import Path

from tests.openapi.test_document import COPY
from tests.sdk.conftest import HERE, run


def test_spectral(node: Path) -> None:
    command = ("lint", "--ruleset", HERE / "spectral.yaml", "--fail-severity", "hint", COPY)
    assert "No results with a severity of 'hint' or higher found" in run(node / "spectral", *command)


def test_redocly(node: Path) -> None:
    printed = run(node / "redocly", "lint", "--config", HERE / "redocly.yaml", COPY, REDOCLY_TELEMETRY="off")
    assert "Your API description is valid" in printed
    assert "warning" not in printed.lower(), printed
