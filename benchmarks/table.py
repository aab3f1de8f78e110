"""The table: a line an operation, beside its bare limit of the same run, printed and kept."""

import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Line:
    """One operation: what was reached, its bare limit where there is one, and the goal."""

    name: str
    reached: float
    unit: str
    bare: float | None = None
    goal: str = ""

    def cells(self) -> tuple[str, str, str, str, str]:
        ratio = f"{self.reached / self.bare:.2f}" if self.bare else ""
        bare = f"{_number(self.bare)} {self.unit}" if self.bare else ""
        return (self.name, f"{_number(self.reached)} {self.unit}", bare, ratio, self.goal)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def keep(lines: list[Line], what: str, name: str = "") -> None:
    """Print the table, and write it to `benchmarks/results/` under today's date and the name."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    packages = ("fastapi", "sqlalchemy", "asyncpg", "uvicorn", "zstandard", "isal")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    machine = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB"
    load = psutil.getloadavg()[2]
    rows = ["| operation | reached | bare | ratio | goal |", "|---|---|---|---|---|"]
    rows += ["| " + " | ".join(line.cells()) + " |" for line in lines]
    text = "\n".join(
        [
            f"Commit {commit.stdout.strip()}, Python {platform.python_version()}, {versions}.",
            f"Client, service and Postgres on one machine ({machine}; load over 15 minutes: {load:.1f}); "
            f"{what}.",
            "",
            *rows,
            "",
        ]
    )
    sys.stdout.write(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{time.strftime('%Y-%m-%d')}{name}.md").write_text(text)
