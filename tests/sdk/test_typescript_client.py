"""The client that openapi-ts makes of the served document, and an experiment's life through it."""

import shutil
from pathlib import Path

import pytest

from tests.sdk.conftest import BIN, HERE, Contract, documented, run


@pytest.mark.timeout(400)
def test_an_experiments_life(contract: Contract, node: Path, told: dict[str, str]) -> None:
    """Made without a warning, taken by `tsc --strict` together with the flow and docs/sdk.md, then run."""
    folder = contract.document.parent / "typescript"
    folder.mkdir()
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    for name in ("flow.ts", "tsconfig.json"):
        shutil.copy(HERE / name, folder)
    printed = run(
        *(node / "openapi-ts", "--input", contract.document, "--output", "client"),
        *("--client", "@hey-api/client-fetch", "--no-log-file"),
        cwd=folder,
    )
    assert not {"warn", "error", "deprecated"} & set(printed.lower().split()), printed
    (folder / "page.ts").write_text(page())
    run(node / "tsc", "--project", ".", cwd=folder)
    run(BIN / "node", "built/flow.js", cwd=folder, **told)


def page() -> str:
    """What docs/sdk.md shows, as a module."""
    lines = documented("TypeScript").replace("./bunsen", "./client").splitlines()
    imports = [line for line in lines if line.startswith("import ")]
    imports.append('import { createWriteStream } from "node:fs";')
    imports.append('import { pipeline } from "node:stream/promises";')
    body = [line for line in lines if not line.startswith("import ")]
    return "\n".join([*imports, "export async function page(token: string) {", *body, "return whole; }\n"])
