"""The machine's GPUs, as nvidia-smi lists them, and what they are doing."""

import re
import subprocess
from collections.abc import Collection

_DEVICE = re.compile(r"GPU (\d+): ")
_SLICE = re.compile(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)")
_FIELDS = (
    "index",
    "uuid",
    "name",
    "serial",
    "pci.bus_id",
    "memory.total",
    "memory.used",
    "memory.free",
    "utilization.gpu",
    "utilization.memory",
    "temperature.gpu",
    "power.draw",
    "power.limit",
)


def list_devices() -> tuple[str, ...]:
    """Each device as CUDA_VISIBLE_DEVICES takes it: its index, or the id of a slice where it is sliced."""
    return parse_devices(_ask("-L"))


def parse_devices(text: str) -> tuple[str, ...]:
    """From `nvidia-smi -L`. A sliced device is its slices."""
    devices: list[str] = []
    whole: str | None = None
    for line in text.splitlines():
        device, part = _DEVICE.match(line), _SLICE.match(line)
        if device:
            whole = device[1]
            devices.append(whole)
        elif part:
            if devices and devices[-1] == whole:
                devices.pop()
            devices.append(part[1])
    return tuple(devices)


def usage(devices: Collection[str]) -> dict[str, dict[str, object]]:
    """What nvidia-smi measures of whole devices, by index; memory in bytes."""
    if not devices:
        return {}
    text = _ask(f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits")
    return {row["index"]: typed(row) for row in parse_usage(text) if row["index"] in devices}


def parse_usage(text: str) -> list[dict[str, str]]:
    """The rows of nvidia-smi's table."""
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    return [dict(zip(_FIELDS, row, strict=True)) for row in rows if len(row) == len(_FIELDS)]


def typed(row: dict[str, str]) -> dict[str, object]:
    """By the names of the document's day."""
    mib = 1024 * 1024
    return {
        "index": _number(row["index"]),
        "uuid": row["uuid"],
        "name": row["name"],
        "serial": row["serial"],
        "bus_id": row["pci.bus_id"],
        "memory_total": _number(row["memory.total"], mib),
        "memory_used": _number(row["memory.used"], mib),
        "memory_free": _number(row["memory.free"], mib),
        "utilization_gpu": _number(row["utilization.gpu"]),
        "memory_utilization": _number(row["utilization.memory"]),
        "temperature_gpu": _number(row["temperature.gpu"]),
        "power_draw": _number(row["power.draw"]),
        "power_limit": _number(row["power.limit"]),
    }


def _number(text: str, unit: int = 1) -> int | None:
    try:
        return round(float(text) * unit)
    except ValueError:
        return None  # `[N/A]`: this device doesn't tell


def _ask(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["nvidia-smi", *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""
