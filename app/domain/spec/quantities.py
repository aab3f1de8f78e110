"""Amounts of cores, memory and GPUs, as specs write them, and their totals as the API answers them."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields

from app.domain.plain_json import show
from app.domain.runs import Amounts, Resources
from app.domain.spec.checker import Checker
from app.errors import Location

MIB = 1024**2
MAX_CORES = 100_000
MAX_MEMORY = 2**60
MAX_GPUS = 10_000
_DECIMAL = r"[0-9]{1,18}(?:\.[0-9]{1,9})?|\.[0-9]{1,9}"
_CPU = re.compile(rf"\s*({_DECIMAL})(m?)\s*")
_MEMORY = re.compile(rf"\s*({_DECIMAL})(Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E|)\s*")
# Kubernetes' suffixes; a bare number is MiB, as specs have it.
_FACTORS: dict[str, int] = {"": MIB} | {
    suffix: base**power
    for base, suffixes in (
        (1024, ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")),
        (1000, ("k", "M", "G", "T", "P", "E")),
    )
    for power, suffix in enumerate(suffixes, 1)
}


def read_resources(checker: Checker, value: object, loc: Location) -> Resources:
    """`cpu` (cores: 0.5 or "500m"), `memory` (MiB, or "2Gi"), `gpu` (a count), each `{requests, limits}`."""
    section = checker.mapping(value, loc, ("cpu", "memory", "gpu"))
    read = {name: _read_pair(checker, name, section[name], (*loc, name)) for name in section}
    requests, limits = (_amounts({name: pair[side] for name, pair in read.items()}) for side in (0, 1))
    return Resources(requests=requests, limits=limits)


def _amounts(read: Mapping[str, float | None]) -> Amounts:
    memory, gpu = read.get("memory"), read.get("gpu")
    return Amounts(
        cpu=read.get("cpu"),
        memory=None if memory is None else int(memory),
        gpu=None if gpu is None else int(gpu),
    )


def _read_pair(
    checker: Checker, name: str, value: object, loc: Location
) -> tuple[float | None, float | None]:
    pair = checker.mapping(value, loc, ("requests", "limits"))
    amounts = {key: _READERS[name](checker, pair[key], (*loc, key)) for key in pair}
    requests, limits = amounts.get("requests"), amounts.get("limits")
    if requests is not None and limits is not None and limits < requests:
        checker.problems.add((*loc, "limits"), "is below requests", "limits_below_requests")
    return requests, limits


def _read_cpu(checker: Checker, value: object, loc: Location) -> float | None:
    if isinstance(value, str) and (found := _CPU.fullmatch(value)) is not None:
        value = float(found[1]) / (1000 if found[2] else 1)
    if isinstance(value, str):
        checker.problems.add(loc, f'must be cores, 0.5 or "500m", not {show(value, 40)}', "quantity")
        return None
    return checker.number(value, loc, low=0, high=MAX_CORES)


def _read_memory(checker: Checker, value: object, loc: Location) -> int | None:
    if isinstance(value, str) and (found := _MEMORY.fullmatch(value)) is not None:
        amount = float(found[1]) * _FACTORS[found[2]]
    elif isinstance(value, str):
        checker.problems.add(loc, f'must be MiB, or a text like "2Gi", not {show(value, 40)}', "quantity")
        return None
    else:
        amount = checker.number(value, loc, low=0, high=MAX_MEMORY / MIB) * MIB
    if amount > MAX_MEMORY:
        checker.problems.add(loc, "must be at most 1Ei", "out_of_range")
        return None
    return round(amount)


def _read_gpu(checker: Checker, value: object, loc: Location) -> int | None:
    return checker.integer(value, loc, low=0, high=MAX_GPUS)


_READERS: dict[str, Callable[[Checker, object, Location], float | None]] = {
    "cpu": _read_cpu,
    "memory": _read_memory,
    "gpu": _read_gpu,
}


def total(jobs: Iterable[Resources]) -> dict[str, object] | None:
    """What jobs ask for together: `{"cpu": {"requests", "limits"}, "memory": …, "gpu": …}`.

    Cores, MiB, counts; null where no job says. None when none says anything.
    """
    sums: dict[str, dict[str, float | None]] = {}
    for resources in jobs:
        for side in ("requests", "limits"):
            amounts: Amounts = getattr(resources, side)
            for field in fields(Amounts):
                amount = getattr(amounts, field.name)
                if amount is not None:
                    pair = sums.setdefault(field.name, {"requests": None, "limits": None})
                    pair[side] = (pair[side] or 0) + amount
    if not sums:
        return None
    return {name: _written(name, sums.get(name)) for name in ("cpu", "memory", "gpu")}


def _written(name: str, pair: dict[str, float | None] | None) -> dict[str, float | None] | None:
    if pair is None:
        return None
    unit = MIB if name == "memory" else 1
    return {side: None if amount is None else _short(amount / unit) for side, amount in pair.items()}


def _short(amount: float) -> float:
    """Without the noise of adding floats, and whole where it is whole."""
    rounded = round(amount, 6)
    return int(rounded) if rounded.is_integer() else rounded
