"""`/docs` in a real browser: nothing from elsewhere, "Authorize" and "Try it out" work."""

import os
from pathlib import Path

import pytest

from tests.sdk.conftest import BIN, HERE, Contract, run


@pytest.mark.timeout(240)
def test_a_person_logs_in_and_tries_a_list(
    contract: Contract, node: Path, chromium: str, tmp_path: Path
) -> None:
    """BUNSEN_TEST_PICTURE names a file that keeps what the browser showed."""
    picture = Path(os.environ.get("BUNSEN_TEST_PICTURE", tmp_path / "docs.png"))
    with contract.up.client() as client:
        assert client.post("/api/v1/root/open/experiments", json={"name": "shown"}).status_code == 201
    run(BIN / "node", HERE / "docs_page.ts", contract.up.url, contract.up.token, chromium, picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
