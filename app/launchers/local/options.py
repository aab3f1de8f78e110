"""What the local launcher is told: where its data lies, what the machine has, what the settings name."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """`cpus` (cores), `memory` (bytes) and `gpus` (a count) stand in for what the machine has.

    `uids` is the range of users for experiments, used when the service is root's; None gives none.
    `python` is the program that environments are made of, None for the newest that jobs can run.
    `code_file` gives the archive of a `RunSpec.code`. `secrets` and `configmaps` name files of `KEY=VALUE`
    lines, `data_volumes` and `outputs_volumes` folders. `step_env` reaches build steps and nothing stored.
    `runner` starts the Python of runners; it keeps to the standard library.
    """

    data: Path
    api_url: str = "http://127.0.0.1:8000"
    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    uids: tuple[int, int] | None = (50000, 59999)
    python: str | None = None
    code_file: Callable[[str], Path] = Path
    step_env: Mapping[str, str] = field(default_factory=dict)
    data_volumes: Mapping[str, str] = field(default_factory=dict)
    outputs_volumes: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    configmaps: Mapping[str, str] = field(default_factory=dict)
    segment_bytes: int = 64 * 1024 * 1024
    max_processes: int = 16_384
    runner: tuple[str, ...] = (sys.executable, "-I", "-S")
    runner_environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def isolated(self) -> bool:
        """Whether each experiment has a user of its own."""
        return os.geteuid() == 0 and self.uids is not None
