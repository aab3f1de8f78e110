"""What the machine has: the container's limits where there are some, else all of it."""

import os
from dataclasses import dataclass
from pathlib import Path

from app.launchers.local import gpus
from app.launchers.local.options import LocalOptions

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Capacity:
    """Cores, bytes, devices."""

    cpu: float
    memory: int
    gpus: tuple[str, ...]


def measure(options: LocalOptions, cgroup: Path = _CGROUP) -> Capacity:
    """The capacity of this machine, or what the settings say in its stead."""
    devices = gpus.list_devices() if options.gpus is None or options.gpus > 0 else ()
    if options.gpus is not None:
        devices = (*devices, *map(str, range(len(devices), options.gpus)))[: options.gpus]
    return Capacity(
        cpu=options.cpus if options.cpus is not None else _cores(cgroup),
        memory=options.memory if options.memory is not None else _bytes(cgroup),
        gpus=devices,
    )


def _cores(cgroup: Path) -> float:
    """The cores that this process may run on, or the share of them that its container gets."""
    cores = float(len(os.sched_getaffinity(0)))
    for folder in _above(cgroup, "cpu"):
        quota, period = _quota(folder)
        if quota > 0 and period > 0:
            cores = min(cores, quota / period)
    return cores


def _bytes(cgroup: Path) -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for folder in _above(cgroup, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name)
            if text.isdecimal():
                memory = min(memory, int(text))
    return memory


def _quota(folder: Path) -> tuple[float, float]:
    """Microseconds of CPU time a period, and the period; negative or zero where there is no limit."""
    both = _read(folder / "cpu.max").split()
    if len(both) != 2:
        both = [_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")]
    try:
        return float(both[0]), float(both[1])
    except ValueError:
        return 0.0, 0.0


def _above(cgroup: Path, controller: str) -> list[Path]:
    """The folders of this process' control group and all above it, of version 1 and 2."""
    folders = [cgroup, cgroup / controller]
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            root = cgroup / controller if controllers else cgroup
            place = root / path.lstrip("/")
            folders += [place, *(parent for parent in place.parents if parent.is_relative_to(root))]
    return folders


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
